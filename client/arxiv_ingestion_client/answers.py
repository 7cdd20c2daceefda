"""Response parsing: bounded, and checked against what the service may return."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

from arxiv_ingestion_client.errors import NOT_OURS, BrokenOff, ProblemError, ServiceUnreachable
from arxiv_ingestion_client.reports import JobReport

MAX_ANSWER_BYTES = 64 << 20  # a thousand jobs with a hundred errors each stay below
MAX_LINE_BYTES = 4 << 20  # of a stream; a status with a hundred errors stays below


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    next_query: str  # of the page that follows; empty when there is none

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The document in the body."""
        return parse(self.body)

    def document(self) -> Any:  # noqa: ANN401 - any JSON object
        """The JSON object in the body."""
        return checked(self.json(), dict)

    def documents(self) -> list[Any]:
        """The JSON objects of the array in the body."""
        return [checked(one, dict) for one in checked(self.json(), list)]

    def job(self) -> JobReport:
        """The status object in the body."""
        report = report_of(self.json(), etag=self.headers.get(hdrs.ETAG))
        return replace(report, is_replayed=self.headers.get("Idempotent-Replayed") == "true")


def parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The JSON in `body`; raises ServiceUnreachable if there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ServiceUnreachable(NOT_OURS) from None


def checked(document: Any, kind: type) -> Any:  # noqa: ANN401 - any JSON
    """`document`, which has to be of `kind`."""
    if not isinstance(document, kind):
        raise ServiceUnreachable(NOT_OURS)
    return document


def report_of(document: object, *, etag: str | None) -> JobReport:
    """The status object `document`; raises ServiceUnreachable if it is none."""
    if not isinstance(document, dict) or not {"job_id", "status"} <= document.keys():
        raise ServiceUnreachable(NOT_OURS)
    return JobReport(document, etag)


class Flow:
    """A good answer that is read as it comes; raises BrokenOff where it does not end well."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def line(self) -> bytes:
        """The next line with its end; empty when there is none."""
        with _broken_off():
            return await self._response.content.readline(max_line_length=MAX_LINE_BYTES)

    async def piece(self) -> bytes:
        """The next piece of the body, at most 64 KiB; empty when there is none."""
        with _broken_off():
            return await self._response.content.read(1 << 16)


@contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, HttpProcessingError, OSError) as err:
        raise BrokenOff("the answer broke off") from err


async def read_whole(response: aiohttp.ClientResponse) -> bytes:
    """The body; raises ServiceUnreachable when it is too large to be one of the service."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise ServiceUnreachable(NOT_OURS)
    return b"".join(parts)


def next_query(response: aiohttp.ClientResponse) -> str:
    """Only the query of a link is followed: it cannot lead to another host or path."""
    link = response.links.get("next")
    url = None if link is None else link.get("url")
    return url.raw_query_string if isinstance(url, URL) else ""


def problem_of(response: aiohttp.ClientResponse, body: bytes) -> ProblemError:
    """The problem in `body`, or one made from the status if there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    document = found if isinstance(found, dict) else {}
    errors = document.get("errors")
    wait = response.headers.get(hdrs.RETRY_AFTER, "")
    return ProblemError(
        response.status,
        str(document.get("title") or response.reason or response.status),
        str(document.get("detail") or ""),
        errors=errors if isinstance(errors, dict) else None,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
    )
