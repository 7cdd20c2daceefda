-- A job that ends waits for nothing any more, whoever ends it. By name before jobs_touch.
CREATE FUNCTION jobs_stop_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.waiting_for := NULL;
    NEW.waiting_since := NULL;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION jobs_stop_waiting() IS 'Clears waiting_for and waiting_since of jobs that end.';
CREATE TRIGGER jobs_stop_waiting BEFORE UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.waiting_for IS NOT NULL AND NEW.status NOT IN ('pending', 'running'))
    EXECUTE FUNCTION jobs_stop_waiting();

-- The same as POST /api/v1/arxiv/pause and resume, which call them. Requests in flight end.
CREATE FUNCTION pause_arxiv() RETURNS timestamptz LANGUAGE sql AS $$
    UPDATE upstream_pace SET paused_since = coalesce(paused_since, now());
    SELECT min(paused_since) FROM upstream_pace;
$$;
COMMENT ON FUNCTION pause_arxiv() IS
    'Stops all requests to arXiv, of the whole fleet; returns since when. Repeatable.';

CREATE FUNCTION resume_arxiv() RETURNS timestamptz LANGUAGE sql AS $$
    WITH resumed AS (
        UPDATE upstream_pace AS pace SET paused_since = NULL, waiting_from = NULL
        FROM (SELECT lane, paused_since FROM upstream_pace FOR UPDATE) AS before
        WHERE pace.lane = before.lane
        RETURNING before.paused_since
    ), woken AS (
        UPDATE pgqueuer SET execute_after = now()
        FROM jobs
        WHERE jobs.waiting_for = 'arxiv_paused' AND jobs.status = 'running'
            AND pgqueuer.headers ->> 'job' = jobs.id::text AND pgqueuer.status = 'queued'
            AND pgqueuer.execute_after > now()
    )
    SELECT min(paused_since) FROM resumed;
$$;
COMMENT ON FUNCTION resume_arxiv() IS
    'Lets requests to arXiv go out again; returns since when they were stopped, or null.';
