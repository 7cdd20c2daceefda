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
