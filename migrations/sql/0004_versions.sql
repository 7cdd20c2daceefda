ALTER TABLE papers ADD COLUMN affiliations jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN papers.affiliations IS
    'Per author, in the same order, the texts of where he works; [] when never told.';
ALTER TABLE papers ADD COLUMN submitter text;
COMMENT ON COLUMN papers.submitter IS 'Who submitted it, by name; null when no source told it.';
ALTER TABLE papers ADD COLUMN datestamp date;
COMMENT ON COLUMN papers.datestamp IS
    'Day (UTC) that arXiv lists the record with: that of its last change; null while only '
    'searches told of the paper.';
ALTER TABLE papers ADD COLUMN license_told boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN papers.license_told IS
    'True when a source that tells licences described it: null then means none given.';
ALTER TABLE papers ADD COLUMN job_id uuid;
COMMENT ON COLUMN papers.job_id IS 'The last job that stored it; it may be gone by now.';
ALTER TABLE papers ADD CONSTRAINT papers_affiliations_by_author
    CHECK (jsonb_typeof(affiliations) = 'array');
ALTER TABLE job_errors ADD COLUMN line integer;
COMMENT ON COLUMN job_errors.line IS 'Line of a snapshot''s file, counted from 1.';

CREATE TABLE paper_versions (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    submitted_at timestamptz NOT NULL,
    size_kb integer,
    source_type text,
    withdrawn boolean NOT NULL DEFAULT false,
    license text,
    license_told boolean NOT NULL DEFAULT false,
    CONSTRAINT paper_versions_pkey PRIMARY KEY (arxiv_id, version),
    CONSTRAINT paper_versions_version_from_one CHECK (version >= 1),
    CONSTRAINT paper_versions_size_kb_not_negative CHECK (size_kb >= 0),
    CONSTRAINT paper_versions_arxiv_id_fkey
        FOREIGN KEY (arxiv_id) REFERENCES papers (arxiv_id) ON DELETE CASCADE
);
COMMENT ON TABLE paper_versions IS
    'Every known version of every paper, from arXiv''s history of it.';
COMMENT ON COLUMN paper_versions.arxiv_id IS 'The paper.';
COMMENT ON COLUMN paper_versions.version IS 'Its version, counted from 1.';
COMMENT ON COLUMN paper_versions.submitted_at IS 'When this version was submitted.';
COMMENT ON COLUMN paper_versions.size_kb IS
    'Size of its source in kilobytes, where arXiv tells it.';
COMMENT ON COLUMN paper_versions.source_type IS
    'arXiv''s letters: I withdrawn, D pdfTeX, H HTML, P PostScript, X docx, A ancillary files, '
    'S source not public; null where not told.';
COMMENT ON COLUMN paper_versions.withdrawn IS 'True when this version withdraws the paper.';
COMMENT ON COLUMN paper_versions.license IS 'Licence URI told while this was the newest version.';
COMMENT ON COLUMN paper_versions.license_told IS
    'True when a source that tells licences described it while it was the newest.';

CREATE TABLE coverage (
    set text NOT NULL,
    day date NOT NULL,
    listed integer NOT NULL,
    missing integer NOT NULL,
    stale integer NOT NULL,
    checked_at timestamptz NOT NULL,
    CONSTRAINT coverage_pkey PRIMARY KEY (set, day),
    CONSTRAINT coverage_counts_add_up CHECK (
        missing >= 0 AND stale >= 0 AND missing + stale <= listed
    )
);
COMMENT ON TABLE coverage IS
    'What the last audit of each set and day found; healing moves the counts.';
COMMENT ON COLUMN coverage.set IS 'OAI-PMH set (cs, cs:cs:AI); '''' for all.';
COMMENT ON COLUMN coverage.day IS 'Datestamp (UTC) that the records are listed by.';
COMMENT ON COLUMN coverage.listed IS 'Papers that arXiv lists for this day.';
COMMENT ON COLUMN coverage.missing IS 'Of these, how many are not held.';
COMMENT ON COLUMN coverage.stale IS
    'Of these, how many are held with an older datestamp, or without one.';
COMMENT ON COLUMN coverage.checked_at IS 'When the last audit of this set compared this day.';

-- The versions known so far: the newest of each paper, and the first.
INSERT INTO paper_versions (arxiv_id, version, submitted_at, withdrawn, license, license_told)
SELECT arxiv_id, version, updated_at, withdrawn, license, license IS NOT NULL FROM papers;
INSERT INTO paper_versions (arxiv_id, version, submitted_at)
SELECT arxiv_id, 1, published_at FROM papers WHERE version > 1;
UPDATE papers SET license_told = true WHERE license IS NOT NULL;

-- `math.GT/0309136` becomes `math/0309136`, as arXiv names the paper. Where both spellings
-- are held the newer version stays, of equals the one that has a file.
CREATE TEMPORARY TABLE respelled ON COMMIT DROP AS
SELECT arxiv_id AS old, regexp_replace(arxiv_id, '\.[A-Z]{2}/', '/') AS new
FROM papers WHERE arxiv_id ~ '^[a-z-]+\.[A-Z]{2}/';

DELETE FROM papers AS p USING papers AS q, respelled AS r
WHERE r.old = q.arxiv_id AND r.new = p.arxiv_id
  AND (q.version, q.pdf_path IS NOT NULL) > (p.version, p.pdf_path IS NOT NULL);
DELETE FROM papers AS p USING papers AS q, respelled AS r
WHERE r.old = p.arxiv_id AND r.new = q.arxiv_id;
-- of several subject classes of one paper, the newest version stays
DELETE FROM papers AS p USING respelled AS r, papers AS q, respelled AS s
WHERE r.old = p.arxiv_id AND s.old = q.arxiv_id AND r.new = s.new AND r.old <> s.old
  AND (q.version, q.arxiv_id) > (p.version, p.arxiv_id);

CREATE TEMPORARY TABLE texts_respelled ON COMMIT DROP AS
SELECT t.*, r.new FROM paper_texts t JOIN respelled r ON r.old = t.arxiv_id;
CREATE TEMPORARY TABLE versions_respelled ON COMMIT DROP AS
SELECT v.*, r.new FROM paper_versions v JOIN respelled r ON r.old = v.arxiv_id;
DELETE FROM paper_texts WHERE arxiv_id IN (SELECT old FROM respelled);
DELETE FROM paper_versions WHERE arxiv_id IN (SELECT old FROM respelled);
UPDATE papers p SET arxiv_id = r.new FROM respelled r WHERE p.arxiv_id = r.old;
INSERT INTO paper_texts (arxiv_id, version, content, truncated, extracted_at)
SELECT new, version, content, truncated, extracted_at FROM texts_respelled;
INSERT INTO paper_versions (arxiv_id, version, submitted_at, withdrawn, license, license_told)
SELECT new, version, submitted_at, withdrawn, license, license_told FROM versions_respelled;

-- A job that met both spellings keeps both rows, for its counters count them.
UPDATE job_papers p SET arxiv_id = regexp_replace(p.arxiv_id, '\.[A-Z]{2}/', '/')
WHERE p.arxiv_id ~ '^[a-z-]+\.[A-Z]{2}/' AND NOT EXISTS (
  SELECT FROM job_papers q
  WHERE q.job_id = p.job_id AND q.arxiv_id <> p.arxiv_id
    AND regexp_replace(q.arxiv_id, '\.[A-Z]{2}/', '/') = regexp_replace(p.arxiv_id, '\.[A-Z]{2}/', '/')
);
