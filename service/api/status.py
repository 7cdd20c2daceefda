"""The status of a job as callers see it: a pure function of the committed row.

Keys, their order and the form of moments are a contract, byte for byte. Because
nothing but the row decides, the row's version is a strong ETag of the answer.
"""

from collections import OrderedDict
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from service.domain.job import Job, JobError, JobStatus


class Shown:
    """A job's state as callers see it, rendered when it is first asked for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.version = job.version  # the strong ETag, too
        self.is_final = job.status.is_final

    @cached_property
    def body(self) -> bytes:
        """The status object as JSON, on one line."""
        return _renderings.of(self._job)


class Renderings:
    """What the latest states looked at were rendered as.

    Most looks find a job as the look before did, and rendering costs more than
    comparing. This is no cache of rows: each state comes from the database, and
    all of it must be equal to the one remembered. At most `most` are kept, and
    none over `max_bytes`.
    """

    def __init__(self, *, most: int = 4096, max_bytes: int = 2048) -> None:
        self._kept: OrderedDict[UUID, tuple[Job, bytes]] = OrderedDict()
        self._most = most
        self._max_bytes = max_bytes

    def of(self, job: Job) -> bytes:
        """The status object of `job` as JSON."""
        kept = self._kept.get(job.id)
        if kept is not None and kept[0] == job:
            return kept[1]
        body = orjson.dumps(status_document(job))
        if len(body) <= self._max_bytes:
            self._kept[job.id] = job, body
            self._kept.move_to_end(job.id)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return body


_renderings = Renderings()


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
