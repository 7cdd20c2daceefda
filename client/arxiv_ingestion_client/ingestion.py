"""The client class: submit, get status, wait, cancel, retry."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from aiohttp import hdrs

from arxiv_ingestion_client.answers import Answer, report_of
from arxiv_ingestion_client.calls import Filter, with_query
from arxiv_ingestion_client.errors import ProblemError
from arxiv_ingestion_client.events import follow
from arxiv_ingestion_client.fleet import FleetCalls
from arxiv_ingestion_client.papers import PaperCalls
from arxiv_ingestion_client.reports import (
    ErrorGroupDocument,
    EstimateDocument,
    JobEventDocument,
    JobPaperDocument,
    JobReport,
    ThroughputDocument,
)
from arxiv_ingestion_client.schedules import ScheduleCalls
from arxiv_ingestion_client.transport import REQUEST_TIMEOUT, Ask
from arxiv_ingestion_client.webhooks import WebhookCalls

LONG_POLL = timedelta(seconds=30)  # the service waits up to 60 s, proxies often do not
DRY_RUN_DEADLINE = timedelta(seconds=10)  # the service's own
FIRST_INTERVAL = timedelta(milliseconds=200)
LONGEST_INTERVAL = timedelta(seconds=2)
INTERVAL_GROWTH = 1.4
MAX_IDS = 100  # in one request


class IngestionClient(PaperCalls, ScheduleCalls, FleetCalls, WebhookCalls):
    """The service, with what it does about jobs; the rest is in the bases."""

    async def submit(
        self, request: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> JobReport:
        """The recorded job. The same key and request name the same job, however often sent.

        Without a key one is made up for this call, so that a repetition is safe.
        """
        return await self._record("ingestion/arxiv", idempotency_key, request)

    async def dry_run(self, request: Mapping[str, Any]) -> EstimateDocument:
        """What a search would fetch, asked of arXiv within ten seconds; creates nothing.

        ProblemError: 422 where arXiv refuses the query, 503 where it cannot be asked now.
        """
        ask = Ask(
            method="POST",
            path="ingestion/arxiv?dry_run=true",
            body=request,
            timeout=REQUEST_TIMEOUT + DRY_RUN_DEADLINE,
        )
        found: EstimateDocument = (await self._transport.answer(ask)).document()
        return found

    async def retry(self, job_id: UUID | str, *, idempotency_key: str | None = None) -> JobReport:
        """A new job that retries the failed papers of this one; ProblemError: 404 or 409."""
        return await self._record(f"{_job_path(job_id)}/retry", idempotency_key)

    async def job(self, job_id: UUID | str) -> JobReport:
        """The job as it is now; ProblemError with status 404 if there is none."""
        return (await self._ask("GET", _job_path(job_id))).job()

    async def jobs(
        self, statuses: Sequence[str] = (), *, limit: int | None = None, **filters: Filter
    ) -> list[JobReport]:
        """The active jobs, newest first; with `statuses` those jobs, at most `limit` (≤ 200).

        `filters` are those of the route: `requested_by`, `label` (`key:value`; several: all
        must hold), `source`, `schedule_id`, `created_after`, `created_before`, `q`, `id`, `sort`.
        """
        path = _jobs_path(statuses, limit=limit, **filters)
        found = (await self._ask("GET", path)).documents()
        return [report_of(one, etag=None) for one in found]

    async def iterate_jobs(
        self, statuses: Sequence[str], **filters: Filter
    ) -> AsyncGenerator[JobReport, None]:
        """All jobs of these statuses (`all`: of any) that match, newest first, page by page."""
        async for one in self._pages(_jobs_path(statuses, limit=200, **filters)):
            yield report_of(one, etag=None)

    async def jobs_by_id(self, job_ids: Sequence[UUID | str]) -> list[JobReport]:
        """Up to 100 jobs at once, in any state; unknown ones are left out."""
        if not job_ids:
            return []
        return await self.jobs(id=[str(one) for one in job_ids], limit=MAX_IDS)

    async def cancel(self, job_id: UUID | str) -> str:
        """Cancel the job; what the service said. ProblemError: 404, or 409 if it is finished."""
        try:
            answer = await self._ask("DELETE", _job_path(job_id))
        except ProblemError as err:
            is_repetition = err.status == 409 and err.attempts > 1
            if is_repetition and (await self.job(job_id)).status == "cancelled":
                return f"Job {job_id} cancelled successfully"  # the first answer was lost
            raise
        return str(answer.document().get("message", ""))

    async def wait(
        self,
        job_id: UUID | str,
        *,
        timeout: timedelta,
        on_progress: Callable[[JobReport], None] | None = None,
    ) -> JobReport:
        """The job once it is finished; `on_progress` gets every change seen on the way.

        The service holds the answer back until there is a change; where it does
        not, it is asked at intervals of 0.2 to 2 s. Raises TimeoutError when the
        job is not finished after `timeout`.
        """
        etag, interval = None, FIRST_INTERVAL
        async with asyncio.timeout(timeout.total_seconds()):
            while True:
                answer = await self._look(job_id, etag)
                if answer.status != 304:
                    report = answer.job()
                    etag = report.etag
                    if on_progress is not None:
                        on_progress(report)
                    if report.is_final:
                        return report
                if "Preference-Applied" in answer.headers:
                    interval = FIRST_INTERVAL
                await asyncio.sleep(interval.total_seconds())
                interval = min(interval * INTERVAL_GROWTH, LONGEST_INTERVAL)

    def stream(self, job_id: UUID | str, *, timeout: timedelta) -> AsyncGenerator[JobReport, None]:
        """The job as it is now, then every change, until it is finished.

        A stream that ends before is taken up again where it was. Raises
        TimeoutError when the job is not finished after `timeout`.
        """
        ask = Ask(method="GET", path=f"{_job_path(job_id)}/events", timeout=None)
        return follow(self._transport, ask, timeout=timeout)

    async def job_papers(
        self, job_id: UUID | str, *, states: Sequence[str] = ()
    ) -> AsyncGenerator[JobPaperDocument, None]:
        """The papers of a job by id, each with its state, page by page."""
        path = f"{_job_path(job_id)}/papers"
        async for one in self._pages(with_query(path, state=",".join(states) or None, limit=200)):
            yield one

    async def job_errors(self, job_id: UUID | str) -> AsyncGenerator[Mapping[str, Any], None]:
        """All errors of a job in the order of storing, page by page."""
        async for one in self._pages(with_query(f"{_job_path(job_id)}/errors", limit=200)):
            yield one

    async def job_error_groups(self, job_id: UUID | str) -> list[ErrorGroupDocument]:
        """How many errors of each stage and code a job has, most frequent first."""
        path = with_query(f"{_job_path(job_id)}/errors", group="code")
        found: list[ErrorGroupDocument] = (await self._ask("GET", path)).documents()
        return found

    async def job_timeline(self, job_id: UUID | str) -> AsyncGenerator[JobEventDocument, None]:
        """What happened to a job, in order, page by page."""
        async for one in self._pages(with_query(f"{_job_path(job_id)}/timeline", limit=200)):
            yield one

    async def job_throughput(self, job_id: UUID | str) -> ThroughputDocument:
        """Papers and PDFs of a job in each interval since its start."""
        path = with_query(f"{_job_path(job_id)}/timeline", series="throughput")
        found: ThroughputDocument = (await self._ask("GET", path)).document()
        return found

    async def stats(self) -> Mapping[str, Any]:
        """Totals by state, throughput and queue depth, up to a second old."""
        found: Mapping[str, Any] = (await self._ask("GET", "ingestion/stats")).document()
        return found

    async def _record(self, path: str, key: str | None, body: object = None) -> JobReport:
        headers = {"Idempotency-Key": str(uuid.uuid4()) if key is None else key}
        ask = Ask(method="POST", path=path, headers=headers, body=body)
        return (await self._transport.answer(ask)).job()

    async def _look(self, job_id: UUID | str, etag: str | None) -> Answer:
        """The job, at once the first time, then when it differs from `etag`, or 304."""
        if etag is None:
            return await self._ask("GET", _job_path(job_id))
        wait = f"wait={LONG_POLL // timedelta(seconds=1)}"
        headers = {hdrs.IF_NONE_MATCH: etag, "Prefer": wait}
        timeout = REQUEST_TIMEOUT + LONG_POLL
        path = _job_path(job_id)
        return await self._transport.answer(
            Ask(method="GET", path=path, headers=headers, timeout=timeout)
        )


def _jobs_path(statuses: Sequence[str], **filters: Filter | None) -> str:
    return with_query("ingestion/jobs", status=",".join(statuses) or None, **filters)


def _job_path(job_id: UUID | str) -> str:
    return f"ingestion/job/{quote(str(job_id), safe='')}"
