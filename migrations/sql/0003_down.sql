DROP TRIGGER jobs_stop_waiting ON jobs;
DROP FUNCTION jobs_stop_waiting(), pause_arxiv(), resume_arxiv();
COMMENT ON COLUMN upstream_pace.silent_until IS 'arXiv asked for silence until then, or refused us.';
COMMENT ON COLUMN upstream_pace.strikes IS 'Refusals in a row; each lengthens the next silence.';
COMMENT ON COLUMN upstream_pace.turns IS
    'Turns to ask that were given out, ever; one that a silence overtook counts too.';
COMMENT ON COLUMN upstream_pace.failing IS
    'Whose requests found nobody since the last good answer; three make an outage.';
COMMENT ON COLUMN upstream_pace.failing_since IS 'The first of them; null when arXiv answers.';
ALTER TABLE upstream_pace
    DROP COLUMN failures, DROP COLUMN reason, DROP COLUMN retry_at, DROP COLUMN cooldown_since,
    DROP COLUMN is_blocked, DROP COLUMN answered_at, DROP COLUMN paused_since,
    DROP COLUMN waiting_from, DROP COLUMN waiter, DROP COLUMN waiter_rank, DROP COLUMN waiter_until;
ALTER TABLE jobs DROP COLUMN facts, DROP COLUMN waiting_for, DROP COLUMN waiting_since;
