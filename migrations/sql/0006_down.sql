DROP TRIGGER jobs_call_back ON jobs;
DROP FUNCTION jobs_call_back();
DELETE FROM pgqueuer WHERE entrypoint = 'webhook';
DROP INDEX jobs_by_label;
DROP TABLE webhook_deliveries, webhooks;
