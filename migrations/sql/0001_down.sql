DROP VIEW stranded_work, failing_papers, job_throughput, job_overview;
DROP FUNCTION cancel_job(uuid);
DROP TABLE upstream_pace, schedules, callers, job_errors, job_papers, paper_texts, papers, jobs;
DROP FUNCTION paper_words(text, text), author_words(text[]);
DROP FUNCTION job_errors_count(), job_errors_edited(), jobs_announce(), jobs_touch(), new_job_id();
DROP TABLE pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics;
DROP FUNCTION fn_pgqueuer_changed();
DROP TYPE pgqueuer_status;
