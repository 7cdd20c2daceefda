-- Files of versions. What is held of the newest version's file stands in papers, as it always
-- did; of an older one in paper_versions, where it moves when a newer version comes.
ALTER TABLE paper_versions
    ADD COLUMN pdf_state text NOT NULL DEFAULT 'none',
    ADD COLUMN pdf_path text,
    ADD COLUMN pdf_sha256 text,
    ADD COLUMN pdf_bytes bigint,
    ADD COLUMN page_count integer,
    ADD COLUMN text_state text,
    ADD COLUMN is_kept boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT paper_versions_pdf_state_known CHECK (
        pdf_state IN ('none', 'downloaded', 'processed', 'failed', 'unavailable')
    ),
    ADD CONSTRAINT paper_versions_text_state_known CHECK (
        text_state IN ('full', 'cut', 'empty', 'encrypted')
    ),
    ADD CONSTRAINT paper_versions_file_iff_downloaded CHECK (
        (pdf_state IN ('downloaded', 'processed')) = (pdf_path IS NOT NULL)
        AND (pdf_path IS NULL) = (pdf_sha256 IS NULL)
        AND (pdf_path IS NULL) = (pdf_bytes IS NULL)
    ),
    ADD CONSTRAINT paper_versions_pdf_sha256_hexadecimal CHECK (pdf_sha256 ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT paper_versions_pdf_bytes_positive CHECK (pdf_bytes > 0);
COMMENT ON COLUMN paper_versions.pdf_state IS
    'Our copy of its PDF, while it is not the newest version: see papers.pdf_state.';
COMMENT ON COLUMN paper_versions.pdf_path IS
    'Place of the file, relative to the storage root; the newest version''s is in papers.';
COMMENT ON COLUMN paper_versions.pdf_sha256 IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN paper_versions.pdf_bytes IS 'Size of the file in bytes.';
COMMENT ON COLUMN paper_versions.page_count IS
    'Pages of the PDF; null until its text was extracted.';
COMMENT ON COLUMN paper_versions.text_state IS
    'full, cut, empty or encrypted: its text; null: none held.';
COMMENT ON COLUMN paper_versions.is_kept IS
    'True when its file stays though a newer one is processed: a job asked for this very version, '
    'or KEEP_VERSIONS.';
CREATE INDEX paper_versions_with_file ON paper_versions (arxiv_id, version)
    WHERE pdf_path IS NOT NULL;

CREATE TABLE older_texts (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    content text NOT NULL,
    truncated boolean NOT NULL,
    extracted_at timestamptz NOT NULL DEFAULT now(),
    text_state text,
    pages json,
    furniture json,
    extractor text,
    quality json,
    CONSTRAINT older_texts_pkey PRIMARY KEY (arxiv_id, version),
    CONSTRAINT older_texts_text_state_known CHECK (
        text_state IN ('full', 'cut', 'empty', 'encrypted')
    ),
    CONSTRAINT older_texts_arxiv_id_version_fkey FOREIGN KEY (arxiv_id, version)
        REFERENCES paper_versions (arxiv_id, version) ON DELETE CASCADE
);
COMMENT ON TABLE older_texts IS
    'Texts of older versions whose files are kept; those of the newest are in paper_texts.';
COMMENT ON COLUMN older_texts.arxiv_id IS 'The paper.';
COMMENT ON COLUMN older_texts.version IS 'Version of the PDF that the text is from.';
COMMENT ON COLUMN older_texts.content IS 'Plain text of the PDF, cleaned.';
COMMENT ON COLUMN older_texts.truncated IS 'True when a limit cut the text short.';
COMMENT ON COLUMN older_texts.extracted_at IS 'When the text was stored.';
COMMENT ON COLUMN older_texts.text_state IS 'full, cut or empty.';
COMMENT ON COLUMN older_texts.pages IS
    'Where each page stands in content: number, start, end (code points).';
COMMENT ON COLUMN older_texts.furniture IS
    'Lines left out of content: page, kind (head, foot, page_number, stamp), text.';
COMMENT ON COLUMN older_texts.extractor IS 'What made the text, with its version.';
COMMENT ON COLUMN older_texts.quality IS
    'Figures of the extraction: ms, unknown_characters, pages_without_text.';

-- A newer version has no file yet; that of the version before moves to its own row, whoever
-- writes the newer one. To readers of the change feed the move is none.
CREATE FUNCTION papers_move_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('arxiv_ingestion.moves_file', 'on', true);
    INSERT INTO paper_versions AS held (
        arxiv_id, version, submitted_at, withdrawn, license, license_told,
        pdf_state, pdf_path, pdf_sha256, pdf_bytes, page_count, text_state
    ) VALUES (
        OLD.arxiv_id, OLD.version, OLD.updated_at, OLD.withdrawn, OLD.license, OLD.license_told,
        OLD.pdf_state, OLD.pdf_path, OLD.pdf_sha256, OLD.pdf_bytes, OLD.page_count, OLD.text_state
    )
    ON CONFLICT (arxiv_id, version) DO UPDATE SET
        pdf_state = excluded.pdf_state, pdf_path = excluded.pdf_path,
        pdf_sha256 = excluded.pdf_sha256, pdf_bytes = excluded.pdf_bytes,
        page_count = excluded.page_count, text_state = excluded.text_state;
    PERFORM set_config('arxiv_ingestion.moves_file', 'off', true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION papers_move_file() IS
    'Moves what is held of a file from papers to paper_versions when a newer version comes.';
CREATE TRIGGER papers_move_file AFTER UPDATE ON papers
    FOR EACH ROW WHEN (NEW.version > OLD.version AND OLD.pdf_state <> 'none')
    EXECUTE FUNCTION papers_move_file();

-- One row of job_papers for each paper and version asked for: `item` tells them apart.
ALTER TABLE job_papers ADD COLUMN pinned integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN job_papers.pinned IS
    'The version that the job asked for by its number; 0: the newest.';
ALTER TABLE job_papers ADD COLUMN item text NOT NULL GENERATED ALWAYS AS (
    arxiv_id || CASE WHEN pinned > 0 THEN 'v' || pinned::text ELSE '' END
) STORED;
COMMENT ON COLUMN job_papers.item IS
    'The paper as it was asked for: with its version, if one was named. The key of its task.';
ALTER TABLE job_papers ADD CONSTRAINT job_papers_pinned_not_negative CHECK (pinned >= 0);
ALTER TABLE job_papers DROP CONSTRAINT job_papers_pkey;
ALTER TABLE job_papers ADD CONSTRAINT job_papers_pkey PRIMARY KEY (job_id, item);
DROP INDEX job_papers_by_state;
CREATE INDEX job_papers_by_state ON job_papers (job_id, state, item);

CREATE OR REPLACE VIEW stranded_work AS
SELECT j.id AS job_id, NULL::text AS arxiv_id, 'harvest' AS kind
FROM jobs j
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND NOT j.is_harvested
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.headers ->> 'job' = j.id::text AND q.entrypoint = 'harvest' AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.item, 'pdf'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.state IN ('pending', 'downloaded')
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.pdfs_pending > 0
    AND (jp.state = 'downloaded' OR coalesce(j.request ->> 'process_pdfs', 'true') = 'true')
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'pdf:' || jp.job_id || ':' || jp.item AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.item, 'html'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.html_state = 'pending'
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.html_pending > 0
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'html:' || jp.job_id || ':' || jp.item AND q.status IN ('queued', 'picked')
    );
COMMENT ON COLUMN stranded_work.arxiv_id IS
    'The paper whose file is wanted, with its version if that was asked for; null: the harvest.';

CREATE OR REPLACE VIEW failing_papers AS
SELECT jp.job_id, jp.item AS arxiv_id, p.title, jp.reason, jp.attempts, e.error, jp.updated_at AS failed_at
FROM job_papers jp
LEFT JOIN papers p USING (arxiv_id)
LEFT JOIN LATERAL (
    SELECT je.error FROM job_errors je
    WHERE je.job_id = jp.job_id AND je.arxiv_id = jp.item
    ORDER BY je.occurred_at DESC, je.id DESC LIMIT 1
) AS e ON true
WHERE jp.state = 'failed'
ORDER BY jp.updated_at DESC;

-- Files and texts of older versions in the change feed: what is stored is a change of its
-- own; that a file has moved here, or was dropped for a newer one, is none.
CREATE FUNCTION paper_versions_note_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('arxiv_ingestion.moves_file', true) = 'on' THEN
        RETURN NULL;
    END IF;
    INSERT INTO paper_changes (batch_id, arxiv_id, version, kind, job_id)
    SELECT (SELECT paper_change_batch()), p.arxiv_id, p.version, 'metadata',
        CASE WHEN p.stored_at = now() THEN p.job_id END
    FROM papers p
    WHERE p.arxiv_id IN (
        SELECT arxiv_id FROM old_rows o JOIN new_rows n USING (arxiv_id, version)
        WHERE (n.submitted_at, n.size_kb, n.source_type, n.withdrawn, n.license, n.license_told)
            IS DISTINCT FROM
            (o.submitted_at, o.size_kb, o.source_type, o.withdrawn, o.license, o.license_told)
    )
    ON CONFLICT (batch_id, arxiv_id, subject) DO NOTHING;
    INSERT INTO paper_changes (batch_id, arxiv_id, version, kind)
    SELECT (SELECT paper_change_batch()), arxiv_id, max(version), 'pdf'
    FROM old_rows o JOIN new_rows n USING (arxiv_id, version)
    WHERE n.pdf_sha256 <> coalesce(o.pdf_sha256, '')
    GROUP BY arxiv_id
    ON CONFLICT (batch_id, arxiv_id, subject) DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION paper_versions_note_updated() IS
    'Writes to paper_changes what changed of the history of papers, and files of older versions.';
DROP TRIGGER paper_versions_note_updated ON paper_versions;
CREATE TRIGGER paper_versions_note_updated AFTER UPDATE ON paper_versions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION paper_versions_note_updated();

CREATE FUNCTION older_texts_note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO paper_changes (batch_id, arxiv_id, version, kind)
    SELECT (SELECT paper_change_batch()), arxiv_id, max(version), 'text'
    FROM new_rows WHERE extracted_at = now() GROUP BY arxiv_id
    ON CONFLICT (batch_id, arxiv_id, subject) DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION older_texts_note_changes() IS
    'Writes to paper_changes which older versions have a new text; one that was moved has not.';
CREATE TRIGGER older_texts_note_inserted AFTER INSERT ON older_texts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION older_texts_note_changes();
CREATE TRIGGER older_texts_note_updated AFTER UPDATE ON older_texts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION older_texts_note_changes();
