-- By itself PostgreSQL cleans up once a fifth of a table is dead: in ten million rows, two million,
-- scanned past by all until then. The queue's own settings are in 0001_queue.sql.
ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE papers SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE job_papers SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE job_errors SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE pgqueuer_log SET (autovacuum_vacuum_scale_factor = 0.05);
