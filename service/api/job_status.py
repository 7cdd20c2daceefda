"""The status of a job as callers see it: a pure function of the committed row.

Keys, their order and the form of moments are a contract, byte for byte. Because
nothing but the row decides, the row's version is a strong ETag of the answer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import hdrs

from service.api.ready import packed
from service.domain.jobs import Job, JobError, JobStatus


@dataclass(frozen=True, slots=True)
class RenderedStatus:
    """A job's state as callers see it; `packed` is the answer, its last `length` bytes the body."""

    version: int
    is_final: bool
    packed: bytes
    length: int

    @property
    def body(self) -> bytes:
        """The status object as JSON, on one line."""
        return self.packed[-self.length :]

    @property
    def tag(self) -> str:
        """What the ETag holds between its quotes."""
        return str(self.version)

    @property
    def headers(self) -> dict[str, str]:
        """Those of an answer with this body."""
        return _headers(self.version)


def show(job: Job) -> RenderedStatus:
    """The state of `job` as callers see it."""
    body = orjson.dumps(status_document(job))
    whole = packed(_headers(job.version), body)
    return RenderedStatus(job.version, job.status.is_final, whole, len(body))


def _headers(version: int) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: "application/json",
        hdrs.CACHE_CONTROL: "no-cache",
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{version}"',
    }


def status_document(job: Job) -> dict[str, Any]:
    """The status object of `job`, its keys in the order of the contract."""
    errors = [_error_document(error) for error in job.errors]
    return {
        "job_id": str(job.id),
        "status": job.status,
        "progress": {
            "papers_fetched": job.papers_fetched,
            "papers_created": job.papers_created,
            "papers_updated": job.papers_updated,
            "pdfs_downloaded": job.pdfs_downloaded,
            "pdfs_processed": job.pdfs_processed,
            "errors": errors,
        },
        "created_at": moment(job.created_at),
        "started_at": moment(job.started_at),
        "completed_at": moment(job.completed_at),
        "errors": errors,
        "stats": {} if job.taken_up_at is None else _stats(job),
    }


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`; a fraction only when it is not zero."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z"


def _error_document(error: JobError) -> dict[str, Any]:
    more = {"arxiv_id": error.arxiv_id, "code": error.code, "attempt": error.attempt}
    return {
        "timestamp": moment(error.occurred_at),
        "error": error.message,
        "stage": error.stage,
        **{name: value for name, value in more.items() if value is not None},
    }


def _stats(job: Job) -> dict[str, Any]:
    elapsed = _elapsed_seconds(job)
    return {
        "pages_fetched": job.pages_fetched,
        "papers_total": job.papers_total,
        "papers_skipped": job.papers_skipped,
        "pdfs_pending": job.pdfs_pending,
        "pdfs_failed": job.pdfs_failed,
        "pdfs_unavailable": job.pdfs_unavailable,
        "errors_total": job.errors_total,
        "resumed": job.resumed,
        "elapsed_seconds": elapsed,
        "eta_seconds": _eta_seconds(job, elapsed),
        "request": job.request,
        **({} if job.retry_of is None else {"retry_of": str(job.retry_of)}),
    }


def _elapsed_seconds(job: Job) -> float:
    """From the start to the end, or to the last change of a job that runs."""
    if job.started_at is None:
        return 0.0
    end = job.completed_at or job.updated_at
    return round(max((end - job.started_at).total_seconds(), 0.0), 3)


def _eta_seconds(job: Job, elapsed: float) -> float | None:
    """What is left at the speed so far; None when that cannot be said."""
    if job.status is not JobStatus.RUNNING or job.papers_total is None:
        return None
    finished = job.papers_fetched - job.pdfs_pending
    left = job.papers_total - finished
    return round(elapsed * left / finished, 1) if finished > 0 and left >= 0 else None
