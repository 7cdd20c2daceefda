-- a schedule of another time zone goes on in UTC
ALTER TABLE jobs DROP COLUMN schedule_id;
ALTER TABLE schedules DROP COLUMN missed_at;
ALTER TABLE schedules DROP COLUMN timezone;
COMMENT ON COLUMN schedules.cron IS 'Cron expression of five fields, UTC.';
