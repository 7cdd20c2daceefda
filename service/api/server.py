"""HTTP server below the application: connection limits, timeouts, malformed requests.

aiohttp bounds what a request may be; here stands what a connection may be: how
long it may keep us waiting for a request or for taking an answer, and how many
there may be. A request that cannot be parsed never reaches the application, so
the problems middleware cannot answer it; aiohttp itself would, in plain text,
with its version and Python's, and with a trace in the log for each.
"""

import asyncio
import math
import re
import resource
import socket
from dataclasses import dataclass
from typing import Any, Protocol, cast

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from service.api.expectations import without_unknown_expectation
from service.api.middlewares.errors import RETRY_AFTER_SECONDS, problem, problem_body
from service.api.request_context import X_REQUEST_ID, new_request_id
from service.api.root_path import ROOT_PATH, without_root_path

SERVER_NAME = "arxiv-ingestion"
UNREADABLE = "The request is malformed"
MAX_LINE_BYTES = 8_190  # of the request line and of each header
TOO_LONG = f"The request line or one of the headers is longer than {MAX_LINE_BYTES:,} bytes"
MAX_HEADERS = 64  # half a megabyte for one head
BACKLOG = 1024  # a full one loses clients who wait for us to speak first
TELL_EVERY_SECONDS = 10.0
RESERVED_FILES = 256  # for the database, storage, child processes and their pipes
_CODES = {401: ("unauthenticated", "Not authenticated"), 500: ("internal_error", "Internal error")}
_LONG_TOKEN = re.compile(rb"\s*(authorization:\s*)?bearer\s", re.IGNORECASE)


class FirstHandler(Protocol):
    """What requests meet before the application."""

    def before(self, long_way: Handler) -> Handler:
        """What handles all requests, given what does so in the application."""


FIRST_HANDLER: web.AppKey[FirstHandler] = web.AppKey("entrance", FirstHandler)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection may take, and how many one process keeps.

    `idle_seconds`: until the whole head of a request has come, counted from the
    connection or the last answer; data that drips in does not extend it.
    `stalled_seconds`: for a client to take what was sent to it.
    `linger_seconds`: for the rest of a body that nobody wants, so that the
    client gets to read the answer.
    """

    most: int = 10_000
    idle_seconds: float = 20.0
    stalled_seconds: float = 20.0
    linger_seconds: float = 5.0


def affordable(wanted: int) -> int:
    """How many connections of those `wanted` this process has file descriptors for.

    Raises the soft limit as far as that needs and the hard limit allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    most = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - RESERVED_FILES)
    if most < wanted:
        _log.warning("connection limit lowered", wanted=wanted, most=most)
    return max(most, 1)


class Runner(web.AppRunner):
    """aiohttp's runner, with a server that bounds connections and answers with problems."""

    def __init__(
        self,
        app: web.Application,
        limits: ConnectionLimits | None = None,
        **options: Any,  # noqa: ANN401 - aiohttp's own
    ) -> None:
        self._limits = limits or ConnectionLimits()
        super().__init__(
            app,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=self._limits.linger_seconds,
            max_headers=MAX_HEADERS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            **options,
        )

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        options: dict[str, Any] = plain._kwargs  # there is no other way in
        handler: Any = plain.request_handler
        if (entrance := self.app.get(FIRST_HANDLER)) is not None:
            handler = entrance.before(handler)
        root = self.app.get(ROOT_PATH, "")
        make = without_unknown_expectation(without_root_path(plain.request_factory, root))
        server = _Server(handler, request_factory=make, **options)
        server.limits, server.root_path = self._limits, root
        return server

    async def listen(self, host: str, port: int, *, is_shared: bool = False) -> None:
        """Open the port; a shared one may be opened by other processes too."""
        await self.setup()
        shared = is_shared or None
        await web.TCPSite(self, host, port, backlog=BACKLOG, reuse_port=shared).start()


def base_url(runner: web.AppRunner) -> str:
    """The URL of what `runner` listens on, as this host is called."""
    host, port = runner.addresses[0][:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(web.Server):
    limits: ConnectionLimits
    root_path: str
    refused = 0  # connections, since that was last logged
    _told_at = -math.inf

    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)

    def has_room(self) -> bool:
        """Whether one more connection may be served; logs, now and then, if not."""
        if len(self._connections) < self.limits.most:
            return True
        self.refused += 1
        if self._loop.time() >= self._told_at + TELL_EVERY_SECONDS:
            self._told_at = self._loop.time()
            _log.warning("connections refused", refused=self.refused, most=self.limits.most)
            self.refused = 0
        return False


class _Protocol(RequestHandler):
    """One connection.

    That a head must be there within `idle_seconds` is aiohttp's keep-alive timer,
    which runs from the first moment and which data does not reset.
    """

    __slots__ = ("_cutting", "_limits", "_wire")

    def __init__(self, manager: _Server, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(manager, **options)
        self._limits = manager.limits
        self._wire: asyncio.Transport | None = None
        self._cutting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve, or refuse at once where there are connections enough."""
        assert isinstance(self._manager, _Server)
        transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        if not self._manager.has_room():
            self._force_close = True  # further input is not read
            transport.write(_refusal(self._manager.root_path))
            transport.close()
            return
        self._wire = transport
        _drop_when_not_taken(transport, self._limits.stalled_seconds)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what waits for this connection."""
        self._keep()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it comes: give it a while."""
        super().pause_writing()
        self._cutting = self._loop.call_later(self._limits.stalled_seconds, self._cut)

    def resume_writing(self) -> None:
        """It has taken some."""
        self._keep()
        super().resume_writing()

    def _keep(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _cut(self) -> None:
        _log.info("slow client disconnected")
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may repeat what the client sent
    ) -> web.StreamResponse:
        """Answer a request that the parser refused (or that broke aiohttp), and hang up."""
        status = 401 if _is_long_token(exc) else status
        _log.info("malformed request", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        headers = {"Server": SERVER_NAME}
        if status == 401:
            headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        unreadable = TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE
        code, detail = _CODES.get(status, ("malformed_request", unreadable))
        root = getattr(self._manager, "root_path", "")  # none once the connection is lost
        response = problem(request, code, detail, headers=headers, root=root)
        response.force_close()
        return response


def _drop_when_not_taken(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel end a connection whose peer acknowledges nothing, or takes nothing."""
    raw = transport.get_extra_info("socket")
    if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # not on every platform
        milliseconds = int(seconds * 1000)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _refusal(root: str) -> bytes:
    """A whole answer, for a connection that gets no request handler."""
    request_id = new_request_id()
    body = problem_body("overloaded", "Too many connections", status=503, root=root, id=request_id)
    head = (
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        f"Retry-After: {RETRY_AFTER_SECONDS}",
        f"Server: {SERVER_NAME}",
        f"{X_REQUEST_ID}: {request_id}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def _is_long_token(exc: BaseException | None) -> bool:
    """Whether the header that was too long to be read is one with a token: no good one."""
    if not isinstance(exc, LineTooLong):
        return False
    beginning = exc.args[0]
    raw = beginning if isinstance(beginning, bytes) else str(beginning).encode()
    return _LONG_TOKEN.match(raw) is not None
