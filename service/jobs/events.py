"""Log events of a job: created, started, page stored, completed, failed, cancelled, retried.

Each is logged once, after the commit, by the process whose transaction made it so. What an
operator does in SQL has no process of ours: it shows in the rows and in `job_events`.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from service.domain.jobs import EndedJob, Job, JobError

_log = structlog.get_logger(__name__)


def log_created(job: Job) -> None:
    """A job was created; a retry names the job that it retries."""
    facts: dict[str, Any] = {"job_id": str(job.id), "requested_by": job.requested_by}
    if job.retry_of is not None:
        facts["retry_of"] = str(job.retry_of)
    _log.info("job created", **facts, priority=str(job.priority))


def log_retried(job: Job) -> None:
    """`job` was created to retry another; `by` is the caller who asked for it."""
    _log.info("job retried", job_id=str(job.id), retry_of=str(job.retry_of), by=job.requested_by)


def log_started(job_id: UUID, *, requested_by: str | None) -> None:
    """A worker took a pending job up."""
    _log.info("job started", job_id=str(job_id), requested_by=requested_by)


def log_page(job_id: UUID, counters: Mapping[str, int]) -> None:
    """A page of a job was stored; `counters` say what it added to those of the job."""
    moved = {name: step for name, step in counters.items() if step}
    _log.info("page stored", job_id=str(job_id), **moved)


def log_completed(ended: EndedJob) -> None:
    """A job has nothing left to do."""
    _log.info("job completed", **_facts(ended))


def log_failed(ended: EndedJob, error: JobError, *, upstream_status: int | None = None) -> None:
    """A job failed with `error`; `upstream_status` of arXiv's response, if there was one."""
    _log.warning("job failed", **_facts(ended), **_reason(error, upstream_status))


def log_cancelled(job_id: UUID, *, requested_by: str | None, by: str) -> None:
    """The caller `by` cancelled a job."""
    _log.info("job cancelled", job_id=str(job_id), requested_by=requested_by, by=by)


def log_pdf_failed(job_id: UUID, error: JobError, *, upstream_status: int | None = None) -> None:
    """A paper of a job has no PDF or no text for good."""
    facts = {"arxiv_id": error.arxiv_id, **_reason(error, upstream_status)}
    _log.warning("pdf failed", job_id=str(job_id), **facts)


def log_html_failed(job_id: UUID, error: JobError, *, upstream_status: int | None = None) -> None:
    """The HTML of a paper of a job failed for good; the paper goes on with its PDF."""
    facts = {"arxiv_id": error.arxiv_id, **_reason(error, upstream_status)}
    _log.warning("html failed", job_id=str(job_id), **facts)


def log_html_refused(job_id: UUID, arxiv_id: str, code: str | None) -> None:
    """The HTML of a paper holds no paper, or too little of it: the PDF's document stands."""
    _log.info("html refused", job_id=str(job_id), arxiv_id=arxiv_id, code=code)


def _facts(ended: EndedJob) -> dict[str, Any]:
    return {
        "job_id": str(ended.job_id),
        "requested_by": ended.requested_by,
        "seconds": round(ended.seconds, 3),
    }


def _reason(error: JobError, upstream_status: int | None) -> dict[str, Any]:
    """Code and place of a failure; what is not known is left out."""
    facts = {
        "code": error.code,
        "stage": str(error.stage),
        "reason": error.message,
        "attempt": error.attempt,
        "upstream_status": upstream_status,
    }
    return {name: value for name, value in facts.items() if value is not None}
