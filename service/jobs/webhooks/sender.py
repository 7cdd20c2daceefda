"""Webhook sender (Standard Webhooks 1.0): one signed POST to a receiver that is not trusted.

The receiver's address may come from any caller, so a request must not become a way into
our own network (SSRF): redirects are not followed, proxies, cookies and decompression are
off, nothing of the answer but its status and Retry-After is read, and each name is resolved
anew for each connection, which goes to an address that was judged or is not made.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from aiohttp import ClientResponse, ClientSession, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook
from yarl import URL

from service import __version__
from service.arxiv.request_spans import request_spans
from service.arxiv.retry_after import retry_after
from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import LONGEST_WAIT

DEADLINE = timedelta(seconds=15)  # of the whole exchange
HEADER_BYTES = 8190
GONE = 410


class AddressRefused(OSError):
    """A receiver's name resolves to nothing but addresses that may not be called back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `id` is the same for all attempts to deliver it."""

    id: str
    url: str
    body: bytes
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an attempt ended: `error` is None when it was delivered, else a stable word."""

    http_status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_gone(self) -> bool:
        """True when the receiver wants nothing any more."""
        return self.http_status == GONE


class GuardedResolver(AbstractResolver):
    """A resolver that answers with those addresses only which may be connected to by `scheme`."""

    def __init__(
        self, targets: CallbackTargets, scheme: str, system: AbstractResolver | None = None
    ) -> None:
        self._targets, self._scheme = targets, scheme
        self._system = system or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of `host`; raises AddressRefused if it has others only."""
        found = await self._system.resolve(host, port, family)
        permitted = [
            one for one in found if self._targets.permits(one["host"], scheme=self._scheme)
        ]
        if not permitted:
            raise AddressRefused("the name resolves to no address that may be called back")
        return permitted

    async def close(self) -> None:
        """Release the system's resolver."""
        await self._system.close()


@dataclass(slots=True)
class WebhookSender:
    """Sends messages; made by `webhook_sender`."""

    targets: CallbackTargets
    sessions: dict[str, ClientSession]
    deadline: timedelta = DEADLINE

    async def send(self, message: Message) -> Answer:
        """Post `message` once, within the deadline. Never raises but when cancelled."""
        if self.targets.mistake(message.url) is not None:  # the settings may have changed
            return Answer(error="address_refused")
        try:
            async with asyncio.timeout(self.deadline.total_seconds()):
                response = await self._post(message)
        except TimeoutError:
            return Answer(error="timeout")
        except (OSError, aiohttp.ClientError, ValueError) as err:
            return Answer(error=_reason(err))
        response.close()
        return _judged(response)

    async def _post(self, message: Message) -> ClientResponse:
        url = URL(message.url)
        return await self.sessions[url.scheme].post(
            url, data=message.body, headers=_headers(message), allow_redirects=False
        )


@asynccontextmanager
async def webhook_sender(
    targets: CallbackTargets,
    *,
    connections: int,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
    deadline: timedelta = DEADLINE,
) -> AsyncIterator[WebhookSender]:
    """A sender with its connections, of which none is kept open between messages.

    `resolver` and `tls`: not the system's, but others.
    """
    sessions = {
        scheme: ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                force_close=True,
                use_dns_cache=False,
                resolver=GuardedResolver(targets, scheme, resolver),
                ssl=tls or True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline covers more
            trace_configs=request_spans(with_query=False),
        )
        for scheme in ("http", "https")
    }
    try:
        yield WebhookSender(targets, sessions, deadline)
    finally:
        for session in sessions.values():
            await session.close()


def _headers(message: Message) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    text = message.body.decode()
    signatures = [Webhook(secret).sign(message.id, now, text) for secret in message.secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"arxiv-ingestion/{__version__}",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _judged(response: ClientResponse) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(http_status=status)
    wish = retry_after(
        response.headers.get("Retry-After"), now=datetime.now(UTC), longest=LONGEST_WAIT
    )
    error = "http_status"
    if status == GONE:
        error = "gone"
    elif 300 <= status < 400:
        error = "redirect"
    return Answer(http_status=status, error=error, retry_after=wish)


def _reason(err: Exception) -> str:
    """A stable word for what broke a connection: the texts of such errors are not ours."""
    known = err.os_error if isinstance(err, aiohttp.ClientConnectorError) else err
    if isinstance(known, AddressRefused) or isinstance(known.__cause__, AddressRefused):
        return "address_refused"
    if isinstance(err, aiohttp.ClientConnectorDNSError):
        return "name_not_resolved"
    if isinstance(err, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls_failed"
    return "connection_failed"
