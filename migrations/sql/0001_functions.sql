-- Rules that hold whoever writes: the service, or an operator in psql.

-- Every visible change raises the version; what callers cannot see does not.
CREATE FUNCTION jobs_touch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hidden constant text[] := ARRAY[
        'checkpoint', 'harvest_attempts', 'harvest_starts', 'is_harvested', 'version', 'updated_at'
    ];
BEGIN
    IF NEW.status IN ('completed', 'failed', 'cancelled') AND NEW.completed_at IS NULL THEN
        NEW.completed_at := clock_timestamp();
    END IF;
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - hidden) IS DISTINCT FROM (to_jsonb(OLD) - hidden) THEN
        NEW.version := greatest(NEW.version, OLD.version + 1);
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION jobs_touch() IS 'Keeps version, updated_at and completed_at of jobs right.';
CREATE TRIGGER jobs_touch BEFORE INSERT OR UPDATE ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_touch();

-- For those who wait. The id alone, so that the changes of one job in one transaction become one
-- announcement: PostgreSQL drops equal ones, and holds a lock over its commit for any.
CREATE FUNCTION jobs_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('job_changed', NEW.id::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION jobs_announce() IS 'NOTIFY job_changed with the id of a job that changed; a hint, never the truth.';
CREATE TRIGGER jobs_announce AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.version IS DISTINCT FROM NEW.version)
    EXECUTE FUNCTION jobs_announce();

CREATE FUNCTION job_errors_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET errors_total = errors_total + added.n
    FROM (SELECT job_id, count(*)::integer AS n FROM new_errors GROUP BY job_id) AS added
    WHERE jobs.id = added.job_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION job_errors_count() IS 'Moves jobs.errors_total with the rows of job_errors.';
CREATE TRIGGER job_errors_count AFTER INSERT ON job_errors
    REFERENCING NEW TABLE AS new_errors
    FOR EACH STATEMENT EXECUTE FUNCTION job_errors_count();

-- An operator may mend or remove an error by hand: callers see that, too.
CREATE FUNCTION job_errors_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs SET version = version + 1, updated_at = clock_timestamp()
    WHERE id IN (SELECT job_id FROM old_errors);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION job_errors_edited() IS 'Raises the version of jobs whose errors were edited.';
CREATE TRIGGER job_errors_updated AFTER UPDATE ON job_errors
    REFERENCING OLD TABLE AS old_errors
    FOR EACH STATEMENT EXECUTE FUNCTION job_errors_edited();
CREATE TRIGGER job_errors_deleted AFTER DELETE ON job_errors
    REFERENCING OLD TABLE AS old_errors
    FOR EACH STATEMENT EXECUTE FUNCTION job_errors_edited();

-- The same as DELETE /api/v1/ingestion/job/{job_id}, which calls it.
CREATE FUNCTION cancel_job(job uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found_status text;
BEGIN
    UPDATE jobs SET status = 'cancelled', completed_at = clock_timestamp()
    WHERE id = job AND status IN ('pending', 'running');
    IF FOUND THEN
        -- What is in work notices by itself and stops; what waits need not start.
        DELETE FROM pgqueuer WHERE headers ->> 'job' = job::text AND status = 'queued';
        RETURN 'cancelled';
    END IF;
    SELECT status INTO found_status FROM jobs WHERE id = job;
    RETURN coalesce('already ' || found_status, 'not found');
END
$$;
COMMENT ON FUNCTION cancel_job(uuid) IS
    'Cancels a job that is not final. Returns cancelled, already <status>, or not found.';
