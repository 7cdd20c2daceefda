CREATE TABLE workers (
    id uuid NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    lease_seconds double precision NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    tasks integer NOT NULL DEFAULT 0,
    CONSTRAINT workers_pkey PRIMARY KEY (id),
    CONSTRAINT workers_tasks_not_negative CHECK (tasks >= 0),
    CONSTRAINT workers_lease_positive CHECK (lease_seconds > 0)
);
COMMENT ON TABLE workers IS 'Worker processes; each removes its row when it ends in order.';
COMMENT ON COLUMN workers.id IS 'Made anew by each worker process.';
COMMENT ON COLUMN workers.host IS 'Name of its host.';
COMMENT ON COLUMN workers.pid IS 'Its process id on that host.';
COMMENT ON COLUMN workers.version IS 'Version of the service it runs.';
COMMENT ON COLUMN workers.lease_seconds IS
    'Its LEASE_SECONDS; silent for two of them it counts as gone.';
COMMENT ON COLUMN workers.started_at IS 'When it started.';
COMMENT ON COLUMN workers.heartbeat_at IS 'When it was last heard of, by the database clock.';
COMMENT ON COLUMN workers.tasks IS 'Tasks it had in hand then.';

CREATE TABLE fleet_counters (
    name text NOT NULL,
    value bigint NOT NULL DEFAULT '0',
    CONSTRAINT fleet_counters_pkey PRIMARY KEY (name),
    CONSTRAINT fleet_counters_value_not_negative CHECK (value >= 0)
);
COMMENT ON TABLE fleet_counters IS
    'What happened on any replica, counted for the metrics across restarts.';
COMMENT ON COLUMN fleet_counters.name IS 'What is counted, such as stalls.';
COMMENT ON COLUMN fleet_counters.value IS 'How often it happened, ever, on any replica.';
