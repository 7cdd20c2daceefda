ALTER TABLE job_errors DROP COLUMN line;
DROP TABLE coverage, paper_versions;
ALTER TABLE papers
    DROP CONSTRAINT papers_affiliations_by_author,
    DROP COLUMN affiliations, DROP COLUMN submitter, DROP COLUMN datestamp,
    DROP COLUMN license_told, DROP COLUMN job_id;
