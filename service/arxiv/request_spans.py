"""Spans of outgoing HTTP requests, by OpenTelemetry's conventions for HTTP clients.

They are made here and not by the library's own instrumentation, which would tell arXiv, and
receivers of callbacks, the ids of our traces.
"""

from types import SimpleNamespace

import aiohttp
from yarl import URL

from service.domain.tracing import Attributes, Span, SpanKind, tracer


def request_spans(*, with_query: bool) -> list[aiohttp.TraceConfig]:
    """For `ClientSession(trace_configs=…)`; empty where nothing is traced.

    `with_query`: whether the query of a URL is told; that of a callback may hold a secret.
    """
    if tracer() is None:
        return []
    config = aiohttp.TraceConfig()

    async def begin(
        _: aiohttp.ClientSession, state: SimpleNamespace, about: aiohttp.TraceRequestStartParams
    ) -> None:
        tracing = tracer()
        if tracing is not None and tracing.is_within:
            attributes = _attributes(about.method, about.url, with_query=with_query)
            state.span = tracing.start(about.method, SpanKind.CLIENT, attributes, None)

    async def end(
        _: aiohttp.ClientSession, state: SimpleNamespace, about: aiohttp.TraceRequestEndParams
    ) -> None:
        span: Span | None = getattr(state, "span", None)
        if span is not None:
            status = about.response.status
            span.set("http.response.status_code", status)
            if status >= 400:
                span.fail(str(status))
            span.end()

    async def fail(
        _: aiohttp.ClientSession, state: SimpleNamespace, about: aiohttp.TraceRequestExceptionParams
    ) -> None:
        span: Span | None = getattr(state, "span", None)
        if span is not None:
            span.fail(type(about.exception).__name__)
            span.end()

    config.on_request_start.append(begin)
    config.on_request_end.append(end)
    config.on_request_exception.append(fail)
    return [config]


def _attributes(method: str, url: URL, *, with_query: bool) -> Attributes:
    return {
        "http.request.method": method,
        "url.full": str(url if with_query else url.with_query(None)),
        "server.address": url.host or "",
        "server.port": url.port or 0,
    }
