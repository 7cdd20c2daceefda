"""Status of a job: reads the committed row now, and renders it, a pure function of that row.

Keys, their order and the form of moments are a contract, byte for byte. Because
nothing but the row decides, the row's version is a strong ETag of the answer.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from sys import getsizeof
from typing import Any
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from service.db.engine import Database
from service.db.job_loader import JobLoader
from service.db.job_rows import JobState, to_job
from service.domain.jobs import Job, JobError, JobStatus

STATUS_HEADERS = {
    hdrs.CONTENT_TYPE: "application/json",
    hdrs.CACHE_CONTROL: "no-cache",
    "X-Content-Type-Options": "nosniff",
}
HTML_SECONDS = 15.0  # between two pages of HTML: arxiv.org/robots.txt
REMEMBERED = 4096  # renderings, in at most 20 MB
MAX_LENGTH = 2048  # of a state that is remembered: few are longer, by their errors
MAX_BYTES = 4500  # of a state and its rendering; beside them, 400 of our own


@dataclass(frozen=True, slots=True)
class RenderedStatus:
    """A job's state as callers see it; `body` is the status object as JSON, on one line."""

    version: int
    is_final: bool
    body: bytes

    @property
    def tag(self) -> str:
        """What the ETag holds between its quotes."""
        return str(self.version)

    @property
    def headers(self) -> dict[str, str]:
        """Those of a response with this body."""
        return {**STATUS_HEADERS, "ETag": f'"{self.version}"'}


class JobStatusReader:
    """Reads the status of single jobs. `close` before the database is closed."""

    def __init__(self, database: Database) -> None:
        self._reads = JobLoader(database)

    async def get(self, job_id: UUID) -> RenderedStatus:
        """The job as it is committed now; raises NotFound or DatabaseUnavailable."""
        return rendered(await self._reads.get(job_id))

    async def close(self) -> None:
        """Give up the reads under way; whoever waits for them is cancelled."""
        await self._reads.close()


def rendered(state: JobState) -> RenderedStatus:
    """The rendering of a job in this state.

    Most reads find a job as the read before did, and rendering costs more than comparing,
    so the latest renderings are remembered. This is no cache of rows: each state comes
    from the database, and all of it is compared with those remembered.
    """
    if len(state) > MAX_LENGTH:
        return render(to_job(state))
    try:
        return _remembered(state)
    except _TooLarge as err:
        return err.rendered


class _TooLarge(Exception):
    """Not to be remembered: the cache keeps what is returned, not what is raised."""

    def __init__(self, rendered: RenderedStatus) -> None:
        super().__init__()
        self.rendered = rendered


@lru_cache(REMEMBERED)
def _remembered(state: JobState) -> RenderedStatus:
    status = render(to_job(state))
    if getsizeof(state) + getsizeof(status.body) > MAX_BYTES:
        raise _TooLarge(status)
    # orjson leaves its buffer as large as it grew; a copy is as large as what is in it
    return replace(status, body=memoryview(status.body).tobytes())


def render(job: Job) -> RenderedStatus:
    """The state of `job` as callers see it."""
    return RenderedStatus(job.version, job.status.is_final, orjson.dumps(status_document(job)))


def status_document(job: Job) -> dict[str, Any]:
    """The status object of `job`, its keys in the order of the contract."""
    errors = [error_document(error) for error in job.errors]
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
        "created_at": to_iso8601(job.created_at),
        "started_at": to_iso8601(job.started_at),
        "completed_at": to_iso8601(job.completed_at),
        "errors": errors,
        "stats": {} if job.taken_up_at is None else _stats(job),
    }


def to_iso8601(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`; a fraction only when it is not zero."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z"


def error_document(error: JobError) -> dict[str, Any]:
    """One error of a job as callers see it."""
    names = ("arxiv_id", "code", "attempt", "line")
    more = {name: getattr(error, name) for name in names}
    return {
        "timestamp": to_iso8601(error.occurred_at),
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
        "html_pending": job.html_pending,
        "documents": {"html": job.documents_html, "pdf": job.documents_pdf},
        "errors_total": job.errors_total,
        "resumed": job.resumed,
        "elapsed_seconds": elapsed,
        "eta_seconds": _eta_seconds(job, elapsed),
        "request": job.request,
        "requested_by": job.requested_by,
        "labels": job.request.get("labels", {}),
        **({} if job.retry_of is None else {"retry_of": str(job.retry_of)}),
        "waiting_for": job.waiting_for,
        "waiting_since": to_iso8601(job.waiting_since),
        **job.facts,
    }


def _elapsed_seconds(job: Job) -> float:
    """From the start to the end, or to the last change of a job that runs."""
    if job.started_at is None:
        return 0.0
    end = job.completed_at or job.updated_at
    return round(max((end - job.started_at).total_seconds(), 0.0), 3)


def _eta_seconds(job: Job, elapsed: float) -> float | None:
    """What is left at the speed so far, with 15 s for each page of HTML at the least.

    None when that cannot be said.
    """
    if job.status is not JobStatus.RUNNING or job.papers_total is None:
        return None
    to_come = max(job.papers_total - job.papers_fetched, 0)
    pages = job.html_pending + (to_come if job.request.get("process_html") is True else 0)
    for_html = round(pages * HTML_SECONDS, 1)
    finished = job.papers_fetched - job.pdfs_pending
    left = job.papers_total - finished
    if finished <= 0 or left < 0:
        return for_html or None
    return max(round(elapsed * left / finished, 1), for_html)


JOB_STATUS_READER: web.AppKey[JobStatusReader] = web.AppKey("job_status", JobStatusReader)
