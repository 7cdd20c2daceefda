"""HTTP transport: token, deadlines, size limits and retries of one request.

A request that may be repeated is repeated when that may help: after a refused or
broken connection, after 502, 503 and 504, and after 429 and 500 where they say
when to come again. Any other one is repeated only if it never left this machine.
A redirect is not followed: it would carry the token elsewhere.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Self, TypeVar

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from arxiv_ingestion_client.answers import Answer, Flow, next_query, problem_of, read_whole
from arxiv_ingestion_client.errors import ClientError, ProblemError, ServiceUnreachable

API = "/api/v1"
REQUEST_TIMEOUT = timedelta(seconds=15)
MAX_ATTEMPTS = 100  # of one request, however long the patience
LONGEST_RETRY_AFTER = 30.0  # seconds; a longer wish is cut to this
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0  # seconds
GOOD = frozenset({200, 201, 202, 204, 206, 304})

Token = str | Callable[[], Awaitable[str]]
OnTrouble = Callable[[ClientError, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request; `path` is what follows `/api/v1/`, percent-encoded, with its query.

    `timeout` bounds the whole answer; None: only the pause between two pieces
    of a stream, by `silence`.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    is_repeatable: bool = True
    timeout: timedelta | None = REQUEST_TIMEOUT
    silence: timedelta = timedelta(seconds=45)  # the heartbeat of a stream is 15 s

    def deadlines(self) -> aiohttp.ClientTimeout:
        """The same, as aiohttp wants it."""
        total = None if self.timeout is None else self.timeout.total_seconds()
        connect = REQUEST_TIMEOUT.total_seconds()
        return aiohttp.ClientTimeout(
            total=total, sock_connect=connect, sock_read=self.silence.total_seconds()
        )


class Transport:
    """The way to the service at `base_url`; an asynchronous context manager."""

    def __init__(
        self, base_url: str, token: Token, *, patience: timedelta, on_trouble: OnTrouble | None
    ) -> None:
        self._base = base_url.rstrip("/")
        self._token = token
        self._patience = patience.total_seconds()
        self._on_trouble = on_trouble
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        # By itself aiohttp repeats a GET or DELETE once, and tells nobody: a cancellation
        # whose answer was lost would look like one of a job that was cancelled before.
        self._http._retry_connection = False
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def answer(self, ask: Ask) -> Answer:
        """The answer, if it is a good one; asks again while that may help."""
        return await self._retried(self._answer_once, ask)

    @asynccontextmanager
    async def opened(self, ask: Ask) -> AsyncIterator[Flow]:
        """A good answer whose body has still to be read; asks again while that may help."""
        response: aiohttp.ClientResponse = await self._retried(self._open, ask)
        try:
            yield Flow(response)
        finally:
            response.close()

    async def _retried(self, attempt: Callable[[Ask], Awaitable[T]], ask: Ask) -> T:
        """What the first good attempt gives; raises what the last one raised."""
        may_help = _is_passing if ask.is_repeatable else _was_not_sent
        clock = asyncio.get_running_loop().time
        give_up = clock() + self._patience
        for number in count(1):
            try:
                return await attempt(ask)
            except (ClientError, aiohttp.ClientError, OSError) as err:
                if isinstance(err, ProblemError):
                    err.attempts = number
                pause = _pause(err, number)
                if not may_help(err) or number == MAX_ATTEMPTS or clock() + pause >= give_up:
                    raise
                if self._on_trouble is not None and isinstance(err, ClientError):
                    self._on_trouble(err, number)
            await asyncio.sleep(pause)
        raise AssertionError("a count has no end")

    async def _answer_once(self, ask: Ask) -> Answer:
        response = await self._open(ask)
        async with response:
            with self._translated():
                body = await read_whole(response)
        return Answer(response.status, response.headers, body, next_query(response))

    async def _open(self, ask: Ask) -> aiohttp.ClientResponse:
        """A good answer of which the head has come; raises ProblemError for any other."""
        if self._http is None:
            raise RuntimeError("IngestionClient is used outside of its `async with` block")
        url = URL(f"{self._base}{API}/{ask.path}", encoded=True)
        headers = {**ask.headers, hdrs.AUTHORIZATION: f"Bearer {await self._current_token()}"}
        with self._translated():
            response = await self._http.request(
                *(ask.method, url),
                headers=headers,
                json=ask.body,
                allow_redirects=False,
                timeout=ask.deadlines(),
            )
            if response.status in GOOD:
                return response
            async with response:
                raise problem_of(response, await read_whole(response))

    async def _current_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        async with asyncio.timeout(REQUEST_TIMEOUT.total_seconds()):
            return await self._token()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, HttpProcessingError, OSError) as err:
            raise ServiceUnreachable(f"there is no answer from {self._base}") from err


_LOST = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, ProblemError):
        return error.is_transient
    return isinstance(error.__cause__, _LOST)


def _was_not_sent(error: BaseException) -> bool:
    return isinstance(error.__cause__, aiohttp.ClientConnectorError)


def _pause(error: BaseException, number: int) -> float:
    """Seconds before the next try: what the service asked for, or longer each time."""
    asked = error.retry_after if isinstance(error, ProblemError) else None
    if asked is not None:
        return min(asked, LONGEST_RETRY_AFTER)
    jitter = random.uniform(0, FIRST_BACKOFF)  # noqa: S311 - it keeps no secret
    return min(FIRST_BACKOFF * 2.0 ** min(number - 1, 10) + jitter, LONGEST_BACKOFF)
