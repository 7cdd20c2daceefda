"""Tracing (OpenTelemetry's ideas without its library): spans of requests, tasks and queries.

Who makes spans asks `tracer()` first. It is None unless a process has installed one at its
start, and then nothing else happens: no span, no header, no listener.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol

TRACEPARENT = "traceparent"  # W3C Trace Context

Attributes = Mapping[str, str | int | float | bool]


class SpanKind(StrEnum):
    """The part that a span plays, as OpenTelemetry has it."""

    SERVER = "server"  # a request was answered
    CLIENT = "client"  # a request or a query was sent
    CONSUMER = "consumer"  # a task was taken from the queue


class Span(Protocol):
    """One span under way."""

    @property
    def trace_id(self) -> str:
        """The trace that it is part of: 32 hexadecimal digits."""
        ...

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Give it an attribute."""
        ...

    def fail(self, reason: str) -> None:
        """Mark it as failed; `reason` is safe to be shown, such as a code."""
        ...

    def end(self) -> None:
        """It is over. A second time nothing happens."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def start(
        self, name: str, kind: SpanKind, attributes: Attributes, parent: Mapping[str, str] | None
    ) -> Span:
        """A span below that of the headers `parent`, or below the current one where it is None."""
        ...

    def current(self, span: Span) -> AbstractContextManager[None]:
        """Makes `span` the current one of this task, and of those begun in it, for the block."""
        ...

    @property
    def is_within(self) -> bool:
        """Whether there is a current span that is recorded."""
        ...

    def headers(self) -> Mapping[str, str]:
        """What continues the current span elsewhere: `traceparent`, or nothing."""
        ...


_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Have this process trace with `tracer`, or not at all."""
    global _tracer  # noqa: PLW0603 - one for the process, as the library's own
    _tracer = tracer


def tracer() -> Tracer | None:
    """The tracer of this process, if it has one."""
    return _tracer


@contextmanager
def span(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    *,
    parent: Mapping[str, str] | None = None,
) -> Iterator[Span | None]:
    """A span around the block, current within it; None where nothing is traced.

    It fails with what the block raises, by the name of its type.
    """
    if (tracing := tracer()) is None:
        yield None
        return
    begun = tracing.start(name, kind, attributes, parent)
    try:
        with tracing.current(begun):
            yield begun
    except BaseException as err:
        begun.fail(type(err).__name__)
        raise
    finally:
        begun.end()


def trace_headers() -> Mapping[str, str]:
    """What a message takes along, so that its work becomes part of the current trace."""
    tracing = tracer()
    return {} if tracing is None else tracing.headers()
