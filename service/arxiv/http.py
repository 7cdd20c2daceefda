"""HTTP session for arXiv: nothing automatic, and every response read within limits.

The library would keep cookies, follow redirects, repeat a request whose
connection broke and unpack any bomb; none of that may happen behind the
fleet's pace and the caps, so all of it is off or done here.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

import aiohttp
from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    StreamReader,
)
from multidict import CIMultiDictProxy
from yarl import URL

from service import __version__
from service.arxiv.content_encoding import decoded
from service.arxiv.http_errors import ConnectionLost, foreign_errors_as_ours
from service.arxiv.limits import ClientLimits
from service.arxiv.request_spans import request_spans
from service.arxiv.resolver import PublicResolver
from service.arxiv.retry_after import http_date
from service.domain.errors import UpstreamFaulty, UpstreamUnreachable

CHUNK_BYTES = 64 * 1024
_HEADER_BYTES = 8190  # of one header line; more is no answer of arXiv's


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the query API, read whole and unpacked."""

    url: URL
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


def client_session(*, connections: int, trusted: Collection[str] = ()) -> ClientSession:
    """A session for ArxivClient; call it in a running loop, close it at the end.

    At most `connections` at a time, none kept open between requests: arXiv
    counts open ones, over all replicas. Let there be as many as tasks that ask:
    one that has its turn and waits for a connection asks out of turn. Names that
    resolve to private, loopback or link-local addresses are refused, but for the
    `trusted` ones.
    """
    return ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections, force_close=True, resolver=PublicResolver(trusted=trusted)
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=request_spans(with_query=True),
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )


def user_agent(contact: str | None) -> str:
    """Who we are, and how to reach who runs us (an e-mail address) if that is known."""
    product = f"arxiv-ingestion/{__version__}"
    return f"{product} (+mailto:{contact})" if contact else product


async def ask_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """A client middleware that makes a broken connection final.

    aiohttp repeats a GET at once when its connection breaks before the answer,
    without asking anybody; towards arXiv each request needs a turn of its own.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # not repeated by aiohttp, and tells more
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise ConnectionLost from err


class Body:
    """The body of an answer in pieces, each within its own deadline and all within one.

    `deadline` is a time of the running loop, `idle` the longest wait for more.
    aiohttp has such a limit too, but forgets it, and the reader, when the
    framing breaks in mid-body: the reader would wait for ever.
    """

    def __init__(self, content: StreamReader, *, deadline: float, idle: timedelta) -> None:
        self._content = content
        self._deadline = deadline
        self._idle = idle

    async def piece(self) -> bytes:
        """The next bytes, at most 64 KiB; b"" at the proper end. Raises UpstreamFaulty."""
        with foreign_errors_as_ours():
            if within(timedelta(0)) >= self._deadline:
                raise TimeoutError  # a full buffer never waits, so never times out
            async with asyncio.timeout_at(min(self._deadline, within(self._idle))):
                return await self._content.read(CHUNK_BYTES)


# Told of each request its status, None if it had no answer, and the seconds until then.
OnEnd = Callable[[int | None, float], None]


class Exchange:
    """Single requests through one session: deadlines and headers on, everything automatic off."""

    def __init__(
        self,
        session: ClientSession,
        agent: str,
        limits: ClientLimits,
        on_end: OnEnd = lambda _status, _seconds: None,
    ) -> None:
        self._session = session
        self._agent = agent
        self._limits = limits
        self._on_end = on_end
        self._timeout = aiohttp.ClientTimeout(
            total=None,  # our own deadlines cover more than the library's would
            connect=limits.connect.total_seconds(),
            sock_read=limits.sock_read.total_seconds(),
        )

    async def start(
        self, url: URL, headers: dict[str, str], *, deadline: float, form: bytes | None = None
    ) -> ClientResponse:
        """The answer to a GET (a POST of `form`) once its headers are there; the caller closes it.

        `deadline` is a time of the running loop. Raises UpstreamUnreachable.
        """
        started, status = monotonic(), None
        try:
            with foreign_errors_as_ours(UpstreamUnreachable):
                async with asyncio.timeout_at(deadline):
                    response = await self._request(url, headers, form)
                    status = response.status
                    return response
        finally:
            self._on_end(status, monotonic() - started)

    async def _request(
        self, url: URL, headers: dict[str, str], form: bytes | None
    ) -> ClientResponse:
        return await self._session.request(
            "GET" if form is None else "POST",
            url,
            data=form,
            headers={"User-Agent": self._agent, **headers},
            timeout=self._timeout,
            allow_redirects=False,
            auto_decompress=False,
            middlewares=(ask_once,),
        )

    def body(self, response: ClientResponse, deadline: float) -> Body:
        """The body of an answer of `start`."""
        return Body(response.content, deadline=deadline, idle=self._limits.sock_read)

    async def whole(
        self, url: URL, form: bytes | None = None, *, on_answer: Callable[[], None]
    ) -> Answer:
        """The whole answer to a GET, or to a POST of `form`; raises UpstreamFaulty.

        `on_answer` is called when its headers have come.
        """
        headers = {"Accept-Encoding": "gzip"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        deadline = within(self._limits.api_total)
        response = await self.start(url, headers, deadline=deadline, form=form)
        on_answer()
        if response.status >= 500:  # what it says is of no use, and may be cut
            response.close()
            return Answer(url, response.status, response.headers, b"")
        try:
            packed = await _whole(self.body(response, deadline), self._limits.api_bytes)
        finally:
            response.close()
        encoding = response.headers.get("Content-Encoding", "identity")
        body = decoded(packed, encoding, self._limits.api_bytes)
        return Answer(url, response.status, response.headers, body)


def within(delay: timedelta) -> float:
    """The deadline `delay` from now, as a time of the running loop."""
    return asyncio.get_running_loop().time() + delay.total_seconds()


def answered_at(headers: CIMultiDictProxy[str]) -> datetime:
    """The sender's clock (`Date`), which its other dates are meant by; else ours. Aware UTC."""
    return http_date(headers.get("Date")) or datetime.now(UTC)


async def _whole(body: Body, cap: int) -> bytes:
    """All of `body` as it was sent; UpstreamFaulty once it is over `cap` bytes."""
    received = bytearray()
    while piece := await body.piece():
        received += piece
        if len(received) > cap:
            raise UpstreamFaulty(_too_long(cap))
    return bytes(received)


def _too_long(cap: int) -> str:
    return f"arXiv's answer is longer than {cap} bytes"
