-- Whoever ends a job, its callbacks are queued in that same transaction: rows of
-- webhook_deliveries, and a task of the queue engine for each. The subscriptions are locked
-- against removal (not against change), so that a removal at that moment fails nobody's job.
CREATE FUNCTION jobs_call_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH subscribed AS (
        SELECT id, url FROM webhooks
        WHERE NOT paused AND disabled_at IS NULL AND ('job.' || NEW.status) = ANY (events)
            AND CASE jsonb_typeof(NEW.request -> 'labels')
                WHEN 'object' THEN NEW.request -> 'labels' ELSE '{}' END @> labels
        FOR KEY SHARE
    ), wanted AS (
        SELECT NULL::uuid AS subscription_id, NEW.request ->> 'callback_url' AS url
        WHERE jsonb_typeof(NEW.request -> 'callback_url') = 'string'
        UNION ALL
        SELECT id, url FROM subscribed
    ), queued AS (
        INSERT INTO webhook_deliveries
            (webhook_id, subscription_id, job_id, event, url, attempt, next_attempt_at)
        SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), subscription_id, NEW.id,
            'job.' || NEW.status, url, 1, now()
        FROM wanted
        RETURNING id
    )
    INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key, payload, headers)
    SELECT 0, 'queued', 'webhook', 'webhook:' || id || ':', convert_to('{"v": 1}', 'UTF8'),
        jsonb_build_object('job', id::text)
    FROM queued;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION jobs_call_back() IS
    'Queues the callbacks of a job that ends: its callback_url, and the subscriptions it fits.';
CREATE TRIGGER jobs_call_back AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (
        OLD.status IN ('pending', 'running') AND NEW.status NOT IN ('pending', 'running')
    )
    EXECUTE FUNCTION jobs_call_back();

COMMENT ON COLUMN pgqueuer.entrypoint IS 'Kind of task: harvest, pdf or webhook.';
COMMENT ON COLUMN pgqueuer.headers IS
    'job: the id of the job it belongs to; of a webhook, that of the row in webhook_deliveries.';
