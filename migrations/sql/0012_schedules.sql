ALTER TABLE schedules ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';
ALTER TABLE schedules ADD COLUMN missed_at timestamptz;
ALTER TABLE jobs ADD COLUMN schedule_id uuid;

COMMENT ON COLUMN schedules.cron IS 'Cron expression of five fields, in timezone.';
COMMENT ON COLUMN schedules.timezone IS 'IANA time zone that cron counts in.';
COMMENT ON COLUMN schedules.missed_at IS
    'First moment that was left out because its last job was unfinished: made up when it ends.';
COMMENT ON COLUMN jobs.schedule_id IS
    'The schedule that it is a run of, though that may be gone; null for others.';

-- earlier runs are known by their idempotency keys; to callers they stay as they are
ALTER TABLE jobs DISABLE TRIGGER USER;
UPDATE jobs
SET schedule_id = substring(
    idempotency_key FROM '^schedule:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):'
)::uuid
WHERE idempotency_key ~ '^schedule:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:';
ALTER TABLE jobs ENABLE TRIGGER USER;

CREATE INDEX schedules_missed ON schedules (missed_at) WHERE missed_at IS NOT NULL;
CREATE INDEX jobs_of_schedule ON jobs (schedule_id, created_at DESC, id DESC)
    WHERE schedule_id IS NOT NULL;
