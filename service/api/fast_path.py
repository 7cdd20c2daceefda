"""Fast path of the status route: past the router and the middlewares.

What those find out for each request is the same for nearly all that ask for a status, and it
takes longer than reading the row. So the server asks here first (`FIRST_HANDLER` in `server`).
Only the plainest GET is answered here. Everything else takes the regular path, as does a read that
fails: what the answer is in those cases is decided there alone. Without this module, and the
line of `process/build_api.py` that puts it in front, nothing changes but speed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from time import monotonic, time
from typing import Any
from uuid import UUID

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import Handler

from service.api.handlers.jobs import FAILED, uuid_of
from service.api.job_status import STATUS_HEADERS, JobStatusReader, RenderedStatus
from service.api.middlewares.auth import PRINCIPAL
from service.api.negotiation import PREFER
from service.api.process_metrics import STARTED, HttpMetrics
from service.api.request_context import REQUEST_ID, ROUTE, X_REQUEST_ID, take_request_id
from service.api.response_headers import ResponseHeaders
from service.api.server import SERVER_NAME
from service.auth.tokens import Principal, Tokens

_FIXED = "".join(f"{name}: {value}\r\n" for name, value in STATUS_HEADERS.items())
_ANSWER = (
    f'%b{_FIXED}ETag: "%d"\r\n{hdrs.CONTENT_LENGTH}: %d\r\n{hdrs.SERVER}: {SERVER_NAME}\r\n'
    f"{X_REQUEST_ID}: %b\r\n\r\n%b"
).encode()
STATUS_ROUTE = "/api/v1/ingestion/job/{job_id}"  # as the access log names it
UNUSUAL = (hdrs.IF_NONE_MATCH, PREFER, hdrs.EXPECT)  # headers that make the answer another one


@dataclass(frozen=True, slots=True, kw_only=True)
class FastPath:
    """What the regular path would ask on its way to `route`, the one that shows a job."""

    route: web.AbstractRoute
    statuses: JobStatusReader
    tokens: Tokens
    is_active: Callable[[str], bool]
    response_headers: ResponseHeaders
    metrics: HttpMetrics
    unusual: tuple[str, ...] = UNUSUAL

    def before(self, long_way: Handler) -> Handler:
        """Handles all requests: some here, the others by `long_way`."""
        if self.response_headers.rates.counts_reads:  # then each answer says what is left
            return long_way
        assert self.route.resource is not None
        prefix = str(self.route.resource.url_for(job_id=""))

        async def handle(request: web.Request) -> web.StreamResponse:
            path = request.raw_path
            job_id = uuid_of(path[len(prefix) :]) if path.startswith(prefix) else None
            principal = None if job_id is None else self._principal(request)
            if job_id is None or principal is None:
                return await long_way(request)
            return await self._look(principal, job_id) or await long_way(request)

        return handle

    def _principal(self, request: web.Request) -> Principal | None:
        """Who asks, if this is a plain read by an active caller whose token is known."""
        if len(request) or not is_simple_get(request):  # something was noted of it: see `server`
            return None
        headers = request.headers
        for name in self.unusual:
            if name in headers:
                return None
        tokens = headers.getall(hdrs.AUTHORIZATION, ())
        grant = self.tokens.cached(tokens[0]) if len(tokens) == 1 else None
        return grant if grant is not None and self.is_active(grant.caller) else None

    async def _look(self, principal: Principal, job_id: UUID) -> "PrerenderedResponse | None":
        """The answer; None, the failure in the context, if that is to be reported."""
        started = monotonic()
        try:
            status = await self.statuses.get(job_id)
        except Exception as err:  # raised again on the regular path, and reported there
            STARTED.set(started)  # aiohttp gives each request a context of its own
            FAILED.set(err)
            return None
        if self.response_headers.is_stopping():  # the answer says so
            return None
        now = self.response_headers.traffic.latest_at = monotonic()
        self.metrics.note(self.route, hdrs.METH_GET, 200, now - started)
        return PrerenderedResponse(status, principal)


class PrerenderedResponse(web.StreamResponse):
    """The 200 of a job's status, to a request that `is_simple_get`.

    aiohttp makes the head of each response anew, from a dictionary of headers, which
    takes as long as all else that is done for the request; here it is made as bytes.
    So it has no `headers` that could be looked at or changed.
    """

    status = 200

    def __init__(self, status: RenderedStatus, principal: Principal) -> None:
        # not aiohttp's: half of its work would be for the headers
        self._rendered = status
        self._out: AbstractStreamWriter | None = None
        self._principal = principal
        self._request_id = ""

    def noted(self) -> dict[str | web.RequestKey[Any], Any]:
        """What the regular path would have noted of the request, for the access log."""
        return {ROUTE: STATUS_ROUTE, REQUEST_ID: self._request_id, PRINCIPAL: self._principal}

    @property
    def body_length(self) -> int:
        """As aiohttp counts it: all that was sent."""
        return 0 if self._out is None else self._out.output_size

    @property
    def keep_alive(self) -> bool:
        """What a plain request wants."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing: the head goes out with the body."""
        self._out = request.writer
        self._request_id = take_request_id(request)
        return self._out

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all; returns when the client takes it."""
        assert self._out is not None
        assert not data
        body = self._rendered.body
        fields = self._rendered.version, len(body), self._request_id.encode(), body
        await self._out.write_eof(_ANSWER % (_beginning(int(time())), *fields))


def is_simple_get(request: web.Request) -> bool:
    """Whether nothing in the version, method or connection makes this answer another one."""
    is_whole = request.method == hdrs.METH_GET and request.version == HttpVersion11
    return is_whole and request.keep_alive


_latest = (0, b"")  # second of the epoch, and how answers begin in it


def _beginning(now: int) -> bytes:
    global _latest  # noqa: PLW0603 - one clock for the process
    if _latest[0] != now:
        _latest = now, f"HTTP/1.1 200 OK\r\nDate: {formatdate(now, usegmt=True)}\r\n".encode()
    return _latest[1]
