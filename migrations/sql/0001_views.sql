-- For people with psql.

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

CREATE VIEW job_throughput AS
SELECT
    date_trunc('hour', completed_at) AS hour,
    count(*) AS jobs,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    sum(papers_fetched) AS papers_fetched,
    sum(pdfs_processed) AS pdfs_processed,
    date_trunc('second', avg(completed_at - started_at)) AS mean_duration
FROM jobs
WHERE completed_at IS NOT NULL
GROUP BY 1
ORDER BY 1 DESC;
COMMENT ON VIEW job_throughput IS 'Jobs that ended, by hour, newest first.';
COMMENT ON COLUMN job_throughput.hour IS 'Start of the hour.';
COMMENT ON COLUMN job_throughput.jobs IS 'Jobs that ended in it.';
COMMENT ON COLUMN job_throughput.completed IS 'Of these, completed.';
COMMENT ON COLUMN job_throughput.failed IS 'Of these, failed.';
COMMENT ON COLUMN job_throughput.cancelled IS 'Of these, cancelled.';
COMMENT ON COLUMN job_throughput.papers_fetched IS 'Papers that they brought in.';
COMMENT ON COLUMN job_throughput.pdfs_processed IS 'PDFs that they brought to text.';
COMMENT ON COLUMN job_throughput.mean_duration IS 'Mean time from start to end.';

CREATE VIEW failing_papers AS
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
COMMENT ON VIEW failing_papers IS 'Papers that a job gave up on, with the last error, newest first.';
COMMENT ON COLUMN failing_papers.job_id IS 'The job.';
COMMENT ON COLUMN failing_papers.arxiv_id IS 'The paper.';
COMMENT ON COLUMN failing_papers.title IS 'Its title.';
COMMENT ON COLUMN failing_papers.reason IS 'Why, as a stable word.';
COMMENT ON COLUMN failing_papers.attempts IS 'Times work on it was begun.';
COMMENT ON COLUMN failing_papers.error IS 'The last error, in words.';
COMMENT ON COLUMN failing_papers.failed_at IS 'When it was given up.';

-- A task may be lost: PgQueuer lets a worker that was thought dead delete the row of the task
-- that another has taken over; if that one dies as well, nobody comes back. The workers look
-- here and queue such work again.
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
