-- The views as they were before.
DROP VIEW stranded_work, job_overview;
DELETE FROM upstream_pace WHERE lane = 'html';
ALTER TABLE upstream_pace DROP CONSTRAINT upstream_pace_lane_known;
ALTER TABLE upstream_pace ADD CONSTRAINT upstream_pace_lane_known CHECK (lane IN ('api', 'pdf'));
COMMENT ON COLUMN upstream_pace.lane IS 'api (query API and OAI-PMH) or pdf.';
COMMENT ON COLUMN upstream_pace.holder IS 'Whose request is in flight; api only.';
DELETE FROM documents WHERE source = 'html';
ALTER TABLE documents DROP CONSTRAINT documents_pkey;
ALTER TABLE documents ADD CONSTRAINT documents_pkey PRIMARY KEY (arxiv_id, version);
COMMENT ON COLUMN documents.source IS 'html or pdf: what it was made of.';
DROP TABLE html_pages;
DROP INDEX job_papers_by_html_state;
ALTER TABLE job_papers
    DROP COLUMN html_state, DROP COLUMN html_reason, DROP COLUMN html_attempts,
    DROP COLUMN html_failures, DROP COLUMN html_unfinished_reads;
ALTER TABLE jobs
    DROP COLUMN html_pending, DROP COLUMN documents_html, DROP COLUMN documents_pdf;
ALTER TABLE jobs ADD CONSTRAINT jobs_counters_not_negative CHECK (
    pages_fetched >= 0
    AND papers_fetched >= 0
    AND papers_created >= 0
    AND papers_updated >= 0
    AND papers_skipped >= 0
    AND pdfs_downloaded >= 0
    AND pdfs_processed >= 0
    AND pdfs_pending >= 0
    AND pdfs_failed >= 0
    AND pdfs_unavailable >= 0
    AND errors_total >= 0
    AND resumed >= 0
    AND harvest_attempts >= 0
    AND harvest_starts >= 0
);

CREATE VIEW job_overview AS
SELECT
    j.id,
    j.status,
    j.priority,
    j.requested_by,
    CASE
        WHEN j.status = 'completed' THEN 100.0
        ELSE round(100.0 * greatest(j.papers_fetched - j.pdfs_pending, 0) / nullif(j.papers_total, 0), 1)
    END AS percent,
    j.papers_fetched,
    j.papers_total,
    j.pdfs_processed,
    j.pdfs_pending,
    j.errors_total,
    round((j.papers_fetched / nullif(extract(epoch FROM t.spent), 0))::numeric, 2) AS papers_per_second,
    round((j.pdfs_processed / nullif(extract(epoch FROM t.spent), 0))::numeric, 2) AS pdfs_per_second,
    CASE
        WHEN j.status = 'running' AND j.papers_fetched > j.pdfs_pending AND j.papers_total > 0
        THEN date_trunc('second', t.spent
            * (j.papers_total - j.papers_fetched + j.pdfs_pending)::float8
            / (j.papers_fetched - j.pdfs_pending))
    END AS eta,
    date_trunc('second', now() - j.created_at) AS age,
    greatest(
        j.updated_at,
        (SELECT max(q.heartbeat) FROM pgqueuer q WHERE q.headers ->> 'job' = j.id::text AND q.status = 'picked')
    ) AS last_sign_of_life
FROM jobs j
CROSS JOIN LATERAL (SELECT coalesce(j.completed_at, now()) - j.started_at AS spent) AS t;
COMMENT ON VIEW job_overview IS 'Each job with percent, rates, ETA, age and last sign of life.';
COMMENT ON COLUMN job_overview.id IS 'Job id.';
COMMENT ON COLUMN job_overview.status IS 'pending, running, completed, failed or cancelled.';
COMMENT ON COLUMN job_overview.priority IS 'low, normal or high.';
COMMENT ON COLUMN job_overview.requested_by IS 'Who asked for it.';
COMMENT ON COLUMN job_overview.percent IS 'Papers that nothing more is to be done for, of papers_total.';
COMMENT ON COLUMN job_overview.papers_fetched IS 'Papers seen at arXiv.';
COMMENT ON COLUMN job_overview.papers_total IS 'Papers it will bring in; null until known.';
COMMENT ON COLUMN job_overview.pdfs_processed IS 'PDFs whose text is stored.';
COMMENT ON COLUMN job_overview.pdfs_pending IS 'PDFs still to come.';
COMMENT ON COLUMN job_overview.errors_total IS 'Errors so far.';
COMMENT ON COLUMN job_overview.papers_per_second IS 'Papers per second since it started.';
COMMENT ON COLUMN job_overview.pdfs_per_second IS 'PDFs per second since it started.';
COMMENT ON COLUMN job_overview.eta IS 'Time left at the speed so far.';
COMMENT ON COLUMN job_overview.age IS 'Time since it was submitted.';
COMMENT ON COLUMN job_overview.last_sign_of_life IS 'Last visible change, or heartbeat of a task of it.';

CREATE VIEW stranded_work AS
SELECT j.id AS job_id, NULL::text AS arxiv_id
FROM jobs j
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND NOT j.is_harvested
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.headers ->> 'job' = j.id::text AND q.entrypoint = 'harvest' AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.arxiv_id
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.state IN ('pending', 'downloaded')
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.pdfs_pending > 0
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'pdf:' || jp.job_id || ':' || jp.arxiv_id AND q.status IN ('queued', 'picked')
    );
COMMENT ON VIEW stranded_work IS 'Work of running jobs for which no task is queued; usually empty.';
COMMENT ON COLUMN stranded_work.job_id IS 'The job.';
COMMENT ON COLUMN stranded_work.arxiv_id IS 'The paper whose PDF is wanted; null: the harvest.';
