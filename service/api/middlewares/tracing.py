"""Tracing middleware: a span for each request, by OpenTelemetry's conventions for HTTP servers.

It is there only where the process traces. A request that comes with a `traceparent` becomes
part of that trace; its trace id is in the log either way.
"""

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from service.api.request_context import TRACE_ID
from service.domain.tracing import TRACEPARENT, SpanKind, span

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})  # probes would bury the rest


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware where something is traced."""
    if request.path in _UNTRACED:
        return await handler(request)
    resource = request.match_info.route.resource
    route = "" if resource is None else resource.canonical
    attributes = {
        "http.request.method": request.method,
        "http.route": route,
        "url.path": request.path,
        "url.scheme": request.scheme,
        "server.address": request.host,
    }
    parent = {TRACEPARENT: request.headers.get(TRACEPARENT, "")}
    name = f"{request.method} {route}".strip()
    with span(name, SpanKind.SERVER, attributes, parent=parent) as begun:
        if begun is None:
            return await handler(request)
        request[TRACE_ID] = begun.trace_id
        with structlog.contextvars.bound_contextvars(trace_id=begun.trace_id):
            response = await handler(request)
        begun.set("http.response.status_code", response.status)
        if response.status >= 500:
            begun.fail(str(response.status))
        return response
