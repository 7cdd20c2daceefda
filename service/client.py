"""What another service imports to use this one: submit, look, wait, cancel.

    async with IngestionClient("http://ingestion:8000", token) as client:
        job = await client.submit({"search_query": {"category": "cs.AI"}}, idempotency_key=key)
        report = await client.wait(job.job_id, timeout=timedelta(minutes=30))

Two things can go wrong: the service answers with a problem (`ProblemError`), or
it does not answer (`ServiceUnreachable`). What may be repeated is repeated for a
bounded time. Answers may grow keys that this client does not know.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import quote, urlencode
from uuid import UUID

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay
from tenacity.wait import wait_exponential_jitter
from yarl import URL

from service.domain.job import ACTIVE_STATUSES

API = "/api/v1"
INGESTION = f"{API}/ingestion"
REQUEST_TIMEOUT = timedelta(seconds=15)
PATIENCE = timedelta(seconds=30)
FIRST_INTERVAL = timedelta(milliseconds=200)
LONGEST_INTERVAL = timedelta(seconds=2)
INTERVAL_GROWTH = 1.4
LONGEST_RETRY_AFTER = 30.0  # seconds; a longer wish is cut to this
NOT_OURS = "the answer is not one of the ingestion service"
MAX_ANSWER_BYTES = 64 << 20  # a thousand jobs with a hundred errors each stay below


class ClientError(Exception):
    """Root of what this client raises, besides TimeoutError."""


class ServiceUnreachable(ClientError):
    """There was no answer, or none that this service would give."""


class ProblemError(ClientError):
    """The service answered with a problem (RFC 9457).

    `errors` maps dotted field names to what is wrong with them (422 only);
    `retry_after` is what the service asked for, in seconds.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors: dict[str, list[str]] = {
            name: [str(one) for one in texts] if isinstance(texts, list) else [str(texts)]
            for name, texts in (errors or {}).items()
        }
        self.retry_after = retry_after

    @property
    def is_passing(self) -> bool:
        """True when the same request may be answered in a moment."""
        return self.status == 503 or (self.status == 500 and self.retry_after is not None)


@dataclass(frozen=True, slots=True)
class JobReport:
    """How far a job is; `document` is the JSON object as the service sent it."""

    document: Mapping[str, Any]
    etag: str | None = None

    @property
    def job_id(self) -> str:
        """Id of the job."""
        return str(self.document["job_id"])

    @property
    def status(self) -> str:
        """One of the values of JobStatus, or one that a later version of the service has."""
        return str(self.document["status"])

    @property
    def is_final(self) -> bool:
        """True when nothing will change any more."""
        return self.status not in ACTIVE_STATUSES

    @property
    def stats(self) -> Mapping[str, Any]:
        """What the service tells beyond the six counters; empty before work has begun."""
        found = self.document.get("stats")
        return found if isinstance(found, Mapping) else {}

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        """The latest errors, oldest first."""
        return [one for one in self.document.get("errors") or () if isinstance(one, Mapping)]

    def count(self, name: str) -> int:
        """A counter of `progress` or `stats`; 0 while there is none of that name."""
        return self.find(name) or 0

    def find(self, name: str) -> int | None:
        """A counter of `progress` or `stats`; None while it is not known."""
        progress = self.document.get("progress")
        for place in (progress if isinstance(progress, Mapping) else {}, self.stats):
            value = place.get(name)
            if isinstance(value, int):
                return value
        return None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    etag: str | None
    next_query: str = ""

    def job(self) -> JobReport:
        document = self.json()
        if not isinstance(document, dict) or not {"job_id", "status"} <= document.keys():
            raise ServiceUnreachable(NOT_OURS)
        return JobReport(document, self.etag)

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ServiceUnreachable(NOT_OURS) from None


class IngestionClient:
    """The service at `base_url`, asked with `token`; an asynchronous context manager.

    `patience` bounds how long one call keeps repeating a request that may be
    repeated: a GET, or a POST with an idempotency key, that met a refused or
    broken connection, a 503, or a 500 that says when to come again.
    """

    def __init__(self, base_url: str, token: str, *, patience: timedelta = PATIENCE) -> None:
        self._base = base_url.rstrip("/")
        self._token = token
        self._patience = patience
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT.total_seconds())
        headers = {"Authorization": f"Bearer {self._token}"}
        self._http = aiohttp.ClientSession(timeout=timeout, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def submit(
        self, request: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> JobReport:
        """The recorded job. The same key and request name the same job, however often sent."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        patience = timedelta(0) if idempotency_key is None else self._patience
        answer = self._ask("POST", "arxiv", patience=patience, headers=headers, body=request)
        return (await answer).job()

    async def job(self, job_id: UUID | str) -> JobReport:
        """The job as it is now; ProblemError with status 404 if there is none."""
        return (await self._ask("GET", _job_path(job_id), patience=self._patience)).job()

    async def jobs(
        self, statuses: Sequence[str] = (), *, limit: int | None = None
    ) -> list[JobReport]:
        """The active jobs, newest first; with `statuses` those jobs, at most `limit` (≤ 200)."""
        wanted = {"status": ",".join(statuses), "limit": "" if limit is None else str(limit)}
        query = urlencode({name: value for name, value in wanted.items() if value})
        path = f"jobs?{query}" if query else "jobs"
        documents = (await self._ask("GET", path, patience=self._patience)).json()
        return [JobReport(one) for one in _objects(documents)]

    async def retry(self, job_id: UUID | str, *, idempotency_key: str | None = None) -> JobReport:
        """The new job that brings in what this final one did not; ProblemError: 404 or 409."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        patience = timedelta(0) if idempotency_key is None else self._patience
        path = f"{_job_path(job_id)}/retry"
        return (await self._ask("POST", path, patience=patience, headers=headers)).job()

    async def schedules(self) -> list[Mapping[str, Any]]:
        """All schedules, by name."""
        found, query = list[Mapping[str, Any]](), "limit=200"
        while query:
            path = f"schedules?{query}"
            answer = await self._ask("GET", path, patience=self._patience, root=API)
            found += _objects(answer.json())
            query = answer.next_query
        return found

    @staticmethod
    def schedule_path(schedule_id: UUID | str) -> str:
        """The path of a schedule, for `call`."""
        return f"schedules/{quote(str(schedule_id), safe='')}"

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """The JSON that any route below `/api/v1` answers; asked once, unless it is a GET."""
        patience = self._patience if method == "GET" else timedelta(0)
        return (await self._ask(method, path, patience=patience, body=body, root=API)).json()

    async def cancel(self, job_id: UUID | str) -> str:
        """Cancel the job; what the service said. ProblemError: 404, or 409 if it is final."""
        body = (await self._ask("DELETE", _job_path(job_id), patience=timedelta(0))).json()
        return str(body.get("message", "")) if isinstance(body, dict) else ""

    async def wait(
        self,
        job_id: UUID | str,
        *,
        timeout: timedelta,
        on_progress: Callable[[JobReport], None] | None = None,
        longest_interval: timedelta = LONGEST_INTERVAL,
    ) -> JobReport:
        """The job once it is final; `on_progress` gets every change seen on the way.

        Looks at growing intervals, from 0.2 s to `longest_interval`. Raises
        TimeoutError when the job is not final after `timeout`.
        """
        interval = min(FIRST_INTERVAL, longest_interval).total_seconds()
        etag: str | None = None
        async with asyncio.timeout(timeout.total_seconds()):
            while True:
                report = await self._changed(job_id, etag)
                if report is not None:
                    etag = report.etag
                    if on_progress is not None:
                        on_progress(report)
                    if report.is_final:
                        return report
                await asyncio.sleep(interval)
                interval = min(interval * INTERVAL_GROWTH, longest_interval.total_seconds())

    async def _changed(self, job_id: UUID | str, etag: str | None) -> JobReport | None:
        """The job, or None if it still is as `etag` says."""
        headers = {} if etag is None else {"If-None-Match": etag}
        path = _job_path(job_id)
        answer = await self._ask("GET", path, headers=headers, patience=self._patience)
        return None if answer.status == 304 else answer.job()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        patience: timedelta,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        root: str = INGESTION,
    ) -> _Answer:
        """The answer, if it is a good one; asks again for up to `patience` while it is not."""
        url = URL(f"{self._base}{root}/{path}", encoded=True)
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            stop=stop_before_delay(patience.total_seconds()),
            wait=_pause,
            reraise=True,
        )
        return await retrying(self._ask_once, method, url, headers or {}, body)

    async def _ask_once(
        self, method: str, url: URL, headers: Mapping[str, str], body: object
    ) -> _Answer:
        if self._http is None:
            raise RuntimeError("IngestionClient is used outside of its `async with` block")
        try:
            async with self._http.request(
                method, url, headers=headers, json=body, allow_redirects=False
            ) as response:
                read = await _read(response)
                if response.status in (200, 201, 202, 304):
                    etag, following = response.headers.get("ETag"), _next_query(response)
                    return _Answer(response.status, read, etag, following)
                raise _problem(response, read)
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            raise ServiceUnreachable(f"there is no answer from {self._base}") from err


def _objects(document: object) -> list[Mapping[str, Any]]:
    if not isinstance(document, list):
        raise ServiceUnreachable(NOT_OURS)
    return [one for one in document if isinstance(one, dict)]


def _job_path(job_id: UUID | str) -> str:
    return f"job/{quote(str(job_id), safe='')}"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise ServiceUnreachable(NOT_OURS)
    return b"".join(parts)


def _next_query(response: aiohttp.ClientResponse) -> str:
    """The query of the page that follows; empty when there is none."""
    link = response.links.get("next")
    url = None if link is None else link.get("url")
    return url.raw_query_string if isinstance(url, URL) else ""


def _problem(response: aiohttp.ClientResponse, body: bytes) -> ProblemError:
    """The problem in `body`, or one made from the status if there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    document = found if isinstance(found, dict) else {}
    errors = document.get("errors")
    wait = response.headers.get("Retry-After", "")
    return ProblemError(
        response.status,
        str(document.get("title") or response.reason or response.status),
        str(document.get("detail") or ""),
        errors=errors if isinstance(errors, dict) else None,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
    )


_CUT_OFF = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, ProblemError):
        return error.is_passing
    return isinstance(error.__cause__, _CUT_OFF)


_BACKOFF = wait_exponential_jitter(multiplier=0.2, max=3, jitter=0.2)


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try: what the service asked for, or longer each time."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, ProblemError) else None
    return _BACKOFF(state) if asked is None else min(asked, LONGEST_RETRY_AFTER)
