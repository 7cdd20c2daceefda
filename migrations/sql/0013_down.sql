DROP INDEX papers_by_job;
