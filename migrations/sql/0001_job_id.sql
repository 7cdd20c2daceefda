-- A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then random bits.
-- PostgreSQL brings uuidv7() only from version 18 on.
CREATE FUNCTION new_job_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid
$$;
COMMENT ON FUNCTION new_job_id() IS 'A new UUID of version 7; sorts by the moment of its making.';
