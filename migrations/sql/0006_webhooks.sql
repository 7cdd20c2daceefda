CREATE TABLE webhooks (
    id uuid NOT NULL DEFAULT new_job_id(),
    url text NOT NULL,
    events text[] NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    secret text NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    disabled_at timestamptz,
    disabled_reason text,
    created_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_labels_by_name CHECK (jsonb_typeof(labels) = 'object'),
    CONSTRAINT webhooks_disabled_for_a_reason CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL)
    ),
    CONSTRAINT webhooks_events_known CHECK (
        cardinality(events) > 0
        AND events <@ ARRAY['job.completed', 'job.failed', 'job.cancelled']
    )
);
COMMENT ON TABLE webhooks IS 'Subscriptions: who is called back when jobs end.';
COMMENT ON COLUMN webhooks.id IS 'Subscription id, a UUID of version 7.';
COMMENT ON COLUMN webhooks.url IS 'Where its deliveries are sent.';
COMMENT ON COLUMN webhooks.events IS 'Events it is for: job.completed, job.failed, job.cancelled.';
COMMENT ON COLUMN webhooks.labels IS 'Labels that a job must have for it, all of them.';
COMMENT ON COLUMN webhooks.secret IS 'What its deliveries are signed with; secret.';
COMMENT ON COLUMN webhooks.paused IS
    'True: it gets nothing; what happens meanwhile is not made up for.';
COMMENT ON COLUMN webhooks.disabled_at IS 'When its receiver answered 410.';
COMMENT ON COLUMN webhooks.disabled_reason IS 'Why it was disabled: a stable word.';
COMMENT ON COLUMN webhooks.created_by IS 'Subject of the token that made it.';
COMMENT ON COLUMN webhooks.created_at IS 'When it was made.';
CREATE INDEX webhooks_of_caller ON webhooks (created_by);

CREATE TABLE webhook_deliveries (
    id uuid NOT NULL DEFAULT new_job_id(),
    webhook_id text NOT NULL,
    subscription_id uuid,
    job_id uuid NOT NULL,
    event text NOT NULL,
    url text NOT NULL,
    attempt integer NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    http_status integer,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_deliveries_event_known CHECK (
        event IN ('job.completed', 'job.failed', 'job.cancelled')
    ),
    CONSTRAINT webhook_deliveries_ended_iff_final CHECK ((status = 'pending') = (ended_at IS NULL)),
    CONSTRAINT webhook_deliveries_due_iff_pending CHECK (
        (status = 'pending') = (next_attempt_at IS NOT NULL)
    ),
    CONSTRAINT webhook_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_attempt_from_one CHECK (attempt >= 1),
    CONSTRAINT webhook_deliveries_subscription_id_fkey
        FOREIGN KEY (subscription_id) REFERENCES webhooks (id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_job_id_fkey
        FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
COMMENT ON TABLE webhook_deliveries IS 'Attempts to call back, one row each.';
COMMENT ON COLUMN webhook_deliveries.id IS
    'Id of this attempt, a UUID of version 7: sorts by creation.';
COMMENT ON COLUMN webhook_deliveries.webhook_id IS
    'The header webhook-id: the same for all attempts of one delivery.';
COMMENT ON COLUMN webhook_deliveries.subscription_id IS
    'The subscription; null for the callback_url of a request.';
COMMENT ON COLUMN webhook_deliveries.job_id IS 'The job that ended.';
COMMENT ON COLUMN webhook_deliveries.event IS 'job.completed, job.failed or job.cancelled.';
COMMENT ON COLUMN webhook_deliveries.url IS 'Where it is sent.';
COMMENT ON COLUMN webhook_deliveries.attempt IS 'Which attempt this is, from 1.';
COMMENT ON COLUMN webhook_deliveries.status IS 'pending, or final: delivered, failed.';
COMMENT ON COLUMN webhook_deliveries.http_status IS 'What the receiver answered, if it did.';
COMMENT ON COLUMN webhook_deliveries.error IS 'Why the attempt failed: a stable word.';
COMMENT ON COLUMN webhook_deliveries.created_at IS 'When the attempt was queued.';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS 'When it is due; null once final.';
COMMENT ON COLUMN webhook_deliveries.ended_at IS 'When it was delivered or failed.';
CREATE INDEX webhook_deliveries_by_job ON webhook_deliveries (job_id, id);
CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (status, id);
CREATE INDEX webhook_deliveries_by_subscription ON webhook_deliveries (subscription_id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at)
    WHERE status = 'pending';
CREATE UNIQUE INDEX webhook_deliveries_one_pending ON webhook_deliveries (webhook_id)
    WHERE status = 'pending';
CREATE INDEX jobs_by_label ON jobs USING gin ((request -> 'labels')) WHERE request ? 'labels';

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
