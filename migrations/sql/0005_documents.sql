ALTER TABLE papers ADD COLUMN text_state text;
COMMENT ON COLUMN papers.text_state IS
    'full, cut, empty or encrypted: the text of this version''s PDF; null: none made yet.';
ALTER TABLE papers ADD CONSTRAINT papers_text_state_known
    CHECK (text_state IN ('full', 'cut', 'empty', 'encrypted'));
ALTER TABLE paper_texts ADD COLUMN text_state text;
COMMENT ON COLUMN paper_texts.text_state IS
    'full, cut or empty; null: stored before states were told apart.';
ALTER TABLE paper_texts ADD COLUMN pages json;
COMMENT ON COLUMN paper_texts.pages IS
    'Where each page stands in content: number, start, end (code points).';
ALTER TABLE paper_texts ADD COLUMN furniture json;
COMMENT ON COLUMN paper_texts.furniture IS
    'Lines left out of content: page, kind (head, foot, page_number, stamp), text.';
ALTER TABLE paper_texts ADD COLUMN extractor text;
COMMENT ON COLUMN paper_texts.extractor IS 'What made the text, with its version.';
ALTER TABLE paper_texts ADD COLUMN quality json;
COMMENT ON COLUMN paper_texts.quality IS
    'Figures of the extraction: ms, unknown_characters, pages_without_text.';
ALTER TABLE paper_texts ADD CONSTRAINT paper_texts_text_state_known
    CHECK (text_state IN ('full', 'cut', 'empty', 'encrypted'));

CREATE TABLE documents (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    converter text NOT NULL,
    input_sha256 text NOT NULL,
    quality json NOT NULL,
    content json NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT documents_pkey PRIMARY KEY (arxiv_id, version),
    CONSTRAINT documents_source_known CHECK (source IN ('html', 'pdf')),
    CONSTRAINT documents_input_sha256_hexadecimal CHECK (input_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT documents_arxiv_id_fkey
        FOREIGN KEY (arxiv_id) REFERENCES papers (arxiv_id) ON DELETE CASCADE
);
COMMENT ON TABLE documents IS 'Structured documents of papers: sections, captions, references.';
COMMENT ON COLUMN documents.arxiv_id IS 'The paper.';
COMMENT ON COLUMN documents.version IS 'Version it was made of.';
COMMENT ON COLUMN documents.source IS 'html or pdf: what it was made of.';
COMMENT ON COLUMN documents.converter IS 'What made it, with its version.';
COMMENT ON COLUMN documents.input_sha256 IS 'SHA-256 of the file that source names, hexadecimal.';
COMMENT ON COLUMN documents.quality IS 'Figures of the conversion.';
COMMENT ON COLUMN documents.content IS
    'Title, abstract, sections, equations, captions, references.';
COMMENT ON COLUMN documents.made_at IS 'When it was stored.';
