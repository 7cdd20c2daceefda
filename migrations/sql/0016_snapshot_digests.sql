-- Without a default: nothing is rewritten. A snapshot's lines are read once more before they are known.
ALTER TABLE papers ADD COLUMN snapshot_digest uuid;
COMMENT ON COLUMN papers.snapshot_digest IS
    'Digest of the snapshot''s line that told all this; null when another source did.';
