"""HTTP towards arXiv: a session with nothing automatic in it, and answers read within bounds.

The library would keep cookies, follow redirects, repeat a request whose
connection broke and unpack any bomb; none of that may happen behind the
fleet's pace and the caps, so all of it is off or done here.
"""

import asyncio
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from multidict import CIMultiDictProxy
from yarl import URL

from service import __version__
from service.arxiv.addresses import PublicResolver
from service.arxiv.faults import ConnectionLost, foreign_errors_as_ours
from service.arxiv.limits import ClientLimits
from service.arxiv.retry_after import http_date
from service.domain.errors import UpstreamFaulty

CHUNK_BYTES = 64 * 1024
_HEADER_BYTES = 8190  # of one header line; more is no answer of arXiv's


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the query API, read whole and unpacked."""

    url: URL
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


def client_session(*, allow_private: bool = False, connections: int = 16) -> ClientSession:
    """A session for ArxivClient; call it in a running loop, close it at the end.

    At most `connections` at a time, none kept open between requests: arXiv
    counts open ones, over all replicas. Unless `allow_private`, names that
    resolve to private, loopback or link-local addresses are refused.
    """
    return ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections,
            force_close=True,
            resolver=None if allow_private else PublicResolver(),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
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


class Exchange:
    """Single requests through one session: deadlines and headers on, everything automatic off."""

    def __init__(self, session: ClientSession, agent: str, limits: ClientLimits) -> None:
        self._session = session
        self._agent = agent
        self._limits = limits
        self._timeout = aiohttp.ClientTimeout(
            total=None,  # the callers' deadlines cover more than the library's would
            connect=limits.connect.total_seconds(),
            sock_read=limits.sock_read.total_seconds(),
        )

    async def start(self, url: URL, headers: dict[str, str], *, deadline: float) -> ClientResponse:
        """The answer to a GET as soon as its headers are there; the caller closes it.

        `deadline` is a time of the running loop. Raises UpstreamFaulty.
        """
        with foreign_errors_as_ours():
            async with asyncio.timeout_at(deadline):
                return await self._send(url, None, headers)

    async def whole(self, url: URL, form: bytes | None = None) -> Answer:
        """The whole answer to a GET, or to a POST of `form`; raises UpstreamFaulty."""
        headers = {"Accept-Encoding": "gzip"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with foreign_errors_as_ours():
            async with asyncio.timeout(self._limits.api_total.total_seconds()):
                response = await self._send(url, form, headers)
                try:
                    body = await _read(response, self._limits.api_bytes)
                finally:
                    response.close()
        return Answer(url, response.status, response.headers, body)

    async def _send(self, url: URL, form: bytes | None, headers: dict[str, str]) -> ClientResponse:
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


def answered_at(headers: CIMultiDictProxy[str]) -> datetime:
    """The sender's clock (`Date`), which its other dates are meant by; else ours. Aware UTC."""
    return http_date(headers.get("Date")) or datetime.now(UTC)


async def _read(response: ClientResponse, cap: int) -> bytes:
    """The body, unpacked; UpstreamFaulty once it is over `cap` bytes, packed or not."""
    packed = bytearray()
    while chunk := await response.content.read(CHUNK_BYTES):
        packed += chunk
        if len(packed) > cap:
            raise UpstreamFaulty(_too_long(cap))
    match response.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            return bytes(packed)
        case "gzip" | "x-gzip":
            return _unpack(packed, cap)
        case _:
            raise UpstreamFaulty("arXiv's answer is packed in a way that we did not ask for")


def _unpack(packed: bytearray, cap: int) -> bytes:
    """Gunzip, stopping one byte after `cap`: what a bomb would have become is never held."""
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    body = inflate.decompress(packed, cap + 1)
    if len(body) > cap:
        raise UpstreamFaulty(_too_long(cap))
    if not inflate.eof:
        raise UpstreamFaulty("arXiv's answer was cut short")
    return body


def _too_long(cap: int) -> str:
    return f"arXiv's answer is longer than {cap} bytes"
