ALTER TABLE jobs ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN jobs.facts IS
    'What the job''s source has to say; shown in its stats under these names.';
ALTER TABLE jobs ADD COLUMN waiting_for text;
COMMENT ON COLUMN jobs.waiting_for IS
    'Why a running job does not move: arxiv_unavailable, arxiv_cooldown, arxiv_paused or '
    'storage_unavailable; null when it moves.';
ALTER TABLE jobs ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN jobs.waiting_since IS 'Since when it waits for that; null when it moves.';
ALTER TABLE jobs ADD CONSTRAINT jobs_waiting_for_known
    CHECK (
        waiting_for IN
            ('arxiv_unavailable', 'arxiv_cooldown', 'arxiv_paused', 'storage_unavailable')
    );
ALTER TABLE jobs ADD CONSTRAINT jobs_waiting_since_some_moment
    CHECK ((waiting_for IS NULL) = (waiting_since IS NULL));
ALTER TABLE jobs ADD CONSTRAINT jobs_facts_by_name CHECK (jsonb_typeof(facts) = 'object');
ALTER TABLE upstream_pace ADD COLUMN failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN upstream_pace.failures IS
    'Requests without an answer in a row; from three on all wait for a probe.';
ALTER TABLE upstream_pace ADD COLUMN reason text;
COMMENT ON COLUMN upstream_pace.reason IS 'Why the last of them had no answer.';
ALTER TABLE upstream_pace ADD COLUMN retry_at timestamptz;
COMMENT ON COLUMN upstream_pace.retry_at IS
    'When the next request may find out whether arXiv is back.';
ALTER TABLE upstream_pace ADD COLUMN cooldown_since timestamptz;
COMMENT ON COLUMN upstream_pace.cooldown_since IS 'When the first of the cooldowns in a row began.';
ALTER TABLE upstream_pace ADD COLUMN is_blocked boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN upstream_pace.is_blocked IS
    'True when the cooldown is because arXiv forbids us everything (403).';
ALTER TABLE upstream_pace ADD COLUMN answered_at timestamptz;
COMMENT ON COLUMN upstream_pace.answered_at IS 'About when arXiv last gave a proper answer.';
ALTER TABLE upstream_pace ADD COLUMN paused_since timestamptz;
COMMENT ON COLUMN upstream_pace.paused_since IS
    'When an operator stopped all requests; null: they may go out.';
ALTER TABLE upstream_pace ADD COLUMN waiting_from timestamptz;
COMMENT ON COLUMN upstream_pace.waiting_from IS
    'When the next of the tasks that wait is to come back.';
ALTER TABLE upstream_pace ADD COLUMN waiter uuid;
COMMENT ON COLUMN upstream_pace.waiter IS 'Who gets the next slot, of those who wait for one now.';
ALTER TABLE upstream_pace ADD COLUMN waiter_rank bigint;
COMMENT ON COLUMN upstream_pace.waiter_rank IS 'The rank of its task; higher goes first.';
ALTER TABLE upstream_pace ADD COLUMN waiter_until timestamptz;
COMMENT ON COLUMN upstream_pace.waiter_until IS 'When it counts as gone unless it asks again.';
COMMENT ON COLUMN upstream_pace.silent_until IS
    'Cooldown: arXiv asked us to wait until then, or refused us.';
COMMENT ON COLUMN upstream_pace.strikes IS 'Cooldowns in a row; each lengthens the next.';
COMMENT ON COLUMN upstream_pace.turns IS
    'Slots that were given out, ever; one that a cooldown overtook counts too.';
COMMENT ON COLUMN upstream_pace.failing IS 'Not used any more: see failures.';
COMMENT ON COLUMN upstream_pace.failing_since IS
    'First request without an answer; null when arXiv answers.';

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
