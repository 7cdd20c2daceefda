"""Tracing by OpenTelemetry, sent by OTLP over HTTP: the extra `otel`.

Only `started_tracing` imports this module, and only where OTEL_EXPORTER_OTLP_ENDPOINT is set.
The library's other variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, …) hold as usual.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__
from service.domain.tracing import TRACEPARENT, Attributes, Span, SpanKind

SERVICE_NAME = "arxiv-ingestion"
FLUSH_SECONDS = 1.0  # at the end, for what has not been sent
_KINDS: Mapping[SpanKind, trace.SpanKind] = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}


class OtelSpan:
    """A span of the library's."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Give it an attribute."""
        self.span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        """Mark it as failed."""
        self.span.set_attribute("error.type", reason)
        self.span.set_status(trace.Status(trace.StatusCode.ERROR))

    def end(self) -> None:
        """It is over."""
        if self.span.is_recording():  # the library warns of a second time
            self.span.end()


class OtelTracer:
    """Makes spans by the library, which hands them to `exporter` from a thread of its own."""

    def __init__(self, exporter: SpanExporter) -> None:
        resource = Resource.create(_resource())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("arxiv_ingestion", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def start(
        self, name: str, kind: SpanKind, attributes: Attributes, parent: Mapping[str, str] | None
    ) -> OtelSpan:
        """A span below that of the headers `parent`, or below the current one where it is None."""
        context = None if parent is None else self._propagator.extract(parent, contexts.Context())
        return OtelSpan(
            self._tracer.start_span(
                name, context=context, kind=_KINDS[kind], attributes=dict(attributes)
            )
        )

    @contextmanager
    def current(self, span: Span) -> Iterator[None]:
        """Makes `span` the current one for the block."""
        assert isinstance(span, OtelSpan)
        token = contexts.attach(trace.set_span_in_context(span.span))
        try:
            yield
        finally:
            contexts.detach(token)

    @property
    def is_within(self) -> bool:
        """Whether there is a current span that is recorded."""
        return trace.get_current_span().is_recording()

    def headers(self) -> Mapping[str, str]:
        """`traceparent` of the current span, if there is one; it says whether it is recorded."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return {name: carrier[name] for name in (TRACEPARENT,) if name in carrier}

    def close(self) -> None:
        """Send what is left, for `FLUSH_SECONDS` at most: the collector may be gone."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)


def otlp_exporter(endpoint: str) -> SpanExporter:
    """Sends spans to a collector at `endpoint`, the base URL (`http://collector:4318`)."""
    own = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return OTLPSpanExporter(endpoint=own or f"{endpoint.rstrip('/')}/v1/traces")


def _resource() -> dict[str, Any]:
    """What sends the spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before it."""
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    name = {} if named else {"service.name": SERVICE_NAME}
    return {**name, "service.version": __version__, "process.pid": os.getpid()}
