ALTER TABLE papers DROP COLUMN snapshot_digest;
