COMMENT ON COLUMN jobs.pdfs_pending IS
    'PDFs of this job that are not processed yet; 0 lets it complete.';
COMMENT ON COLUMN jobs.pdfs_failed IS 'PDFs of this job that failed for good; see job_errors.';
COMMENT ON TABLE papers IS 'Metadata of every paper ingested, newest version only; CC0 (arXiv).';
COMMENT ON COLUMN job_throughput.papers_fetched IS 'Papers that they fetched.';
COMMENT ON COLUMN failing_papers.failed_at IS 'When it failed for good.';
