DROP TRIGGER papers_move_file ON papers;
DROP TRIGGER paper_versions_note_updated ON paper_versions;
CREATE TRIGGER paper_versions_note_updated AFTER UPDATE ON paper_versions
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION paper_versions_note_changes();
DROP TABLE older_texts;
DROP FUNCTION papers_move_file, paper_versions_note_updated, older_texts_note_changes;
DROP INDEX paper_versions_with_file;
ALTER TABLE paper_versions
    DROP COLUMN pdf_state, DROP COLUMN pdf_path, DROP COLUMN pdf_sha256, DROP COLUMN pdf_bytes,
    DROP COLUMN page_count, DROP COLUMN text_state, DROP COLUMN is_kept;

CREATE OR REPLACE VIEW stranded_work AS
SELECT j.id AS job_id, NULL::text AS arxiv_id, 'harvest' AS kind
FROM jobs j
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND NOT j.is_harvested
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.headers ->> 'job' = j.id::text AND q.entrypoint = 'harvest' AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.arxiv_id, 'pdf'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.state IN ('pending', 'downloaded')
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.pdfs_pending > 0
    AND (jp.state = 'downloaded' OR coalesce(j.request ->> 'process_pdfs', 'true') = 'true')
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'pdf:' || jp.job_id || ':' || jp.arxiv_id AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.arxiv_id, 'html'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.html_state = 'pending'
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.html_pending > 0
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'html:' || jp.job_id || ':' || jp.arxiv_id AND q.status IN ('queued', 'picked')
    );
COMMENT ON COLUMN stranded_work.arxiv_id IS 'The paper whose file is wanted; null: the harvest.';
CREATE OR REPLACE VIEW failing_papers AS
SELECT jp.job_id, jp.arxiv_id, p.title, jp.reason, jp.attempts, e.error, jp.updated_at AS failed_at
FROM job_papers jp
LEFT JOIN papers p USING (arxiv_id)
LEFT JOIN LATERAL (
    SELECT je.error FROM job_errors je
    WHERE je.job_id = jp.job_id AND je.arxiv_id = jp.arxiv_id
    ORDER BY je.occurred_at DESC, je.id DESC LIMIT 1
) AS e ON true
WHERE jp.state = 'failed'
ORDER BY jp.updated_at DESC;

-- A job keeps one row of each paper: the newest of those that it asked for.
DELETE FROM job_papers p USING job_papers q
WHERE p.job_id = q.job_id AND p.arxiv_id = q.arxiv_id
    AND (coalesce(p.version, 0), p.item) < (coalesce(q.version, 0), q.item);
DROP INDEX job_papers_by_state;
CREATE INDEX job_papers_by_state ON job_papers (job_id, state, arxiv_id);
ALTER TABLE job_papers DROP CONSTRAINT job_papers_pkey;
ALTER TABLE job_papers ADD CONSTRAINT job_papers_pkey PRIMARY KEY (job_id, arxiv_id);
ALTER TABLE job_papers DROP COLUMN item, DROP COLUMN pinned;
