"""The body of a webhook: the status object of a job that ended, as callers know it."""

from service.api.job_status import status_document, to_iso8601
from service.domain.jobs import Job
from service.jobs.webhooks.message import payload

JOB_PATH = "/api/v1/ingestion/job/"


def webhook_body(job: Job, event: str, *, root_path: str = "") -> bytes:
    """What is sent about `job`; `root_path` is the prefix that a proxy puts before paths."""
    return payload(
        event,
        status_document(job),
        timestamp=to_iso8601(job.completed_at),
        status_url=f"{root_path}{JOB_PATH}{job.id}",
    )
