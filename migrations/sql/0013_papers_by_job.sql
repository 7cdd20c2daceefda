CREATE INDEX papers_by_job ON papers (job_id);
