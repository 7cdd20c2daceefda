COMMENT ON COLUMN jobs.pdfs_pending IS
    'PDFs of this job still to be brought in; 0 lets it complete.';
COMMENT ON COLUMN jobs.pdfs_failed IS 'PDFs of this job given up on; see job_errors.';
COMMENT ON TABLE papers IS 'Metadata of every paper brought in, newest version only; CC0 (arXiv).';
COMMENT ON COLUMN job_throughput.papers_fetched IS 'Papers that they brought in.';
COMMENT ON COLUMN failing_papers.failed_at IS 'When it was given up.';
