"""Request id and trace id: accepted or generated, in the response and all log lines.

`X-Request-ID` is taken over where it has a safe form; `traceparent` as W3C Trace
Context, level 1, defines it. Both are bound to structlog's context, so that whatever
is logged for a request carries them.
"""

import re
import secrets
from itertools import count

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import istr

X_REQUEST_ID = istr("X-Request-ID")  # found faster than a plain text
TRACEPARENT = istr("traceparent")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
# the pattern of the route, which has no id in it; `none` where none matched
ROUTE: web.RequestKey[str] = web.RequestKey("route", str)
# of the span that was made for the request, where this process traces
TRACE_ID: web.RequestKey[str] = web.RequestKey("trace_id", str)

_SAFE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.+)?")
_numbers = count(1)
_prefix = secrets.token_hex(8)  # of this process: numbers behind it are never used again


def new_request_id() -> str:
    """An id that no other request of the fleet has."""
    return f"{_prefix}-{next(_numbers):x}"


def request_id_of(request: web.BaseRequest) -> str:
    """The id of a request: the caller's if it is safe, else a new one; always the same."""
    known: str | None = request.get(REQUEST_ID)
    if known is None:
        request[REQUEST_ID] = known = take_request_id(request)
    return known


def take_request_id(request: web.BaseRequest) -> str:
    """The caller's id of a request, or a new one each time that this is called."""
    given = request.headers.get(X_REQUEST_ID)
    return given if given and _SAFE.fullmatch(given) else new_request_id()


def trace_id_of(request: web.BaseRequest) -> str | None:
    """The trace id of its span, or of a valid `traceparent`; None without either.

    It has 32 hexadecimal digits.
    """
    known: str | None = request.get(TRACE_ID)
    return _given_trace_id(request) if known is None else known


def _given_trace_id(request: web.BaseRequest) -> str | None:
    given = request.headers.get(TRACEPARENT)
    match = None if given is None else _TRACEPARENT.fullmatch(given)
    if match is None:
        return None
    version, trace, parent, more = match.groups()
    is_known = version != "ff" and not (version == "00" and more)
    return trace if is_known and trace.strip("0") and parent.strip("0") else None


@web.middleware
async def request_context(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware: binds the ids for everything that is logged inside.

    They need not be unbound: aiohttp gives each request a context of its own.
    """
    resource = request.match_info.route.resource
    request[ROUTE] = "none" if resource is None else resource.canonical
    request[REQUEST_ID] = request_id = take_request_id(request)
    structlog.contextvars.bind_contextvars(request_id=request_id)
    if (trace_id := _given_trace_id(request)) is not None:  # that of a span is bound with it
        structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return await handler(request)
