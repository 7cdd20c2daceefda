"""Spans of tasks: each a part of the trace that queued it, by OpenTelemetry's conventions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog

from service.domain.outcomes import Fail, Outcome
from service.domain.tracing import TRACEPARENT, SpanKind, span, tracer


@contextmanager
def task_span(
    kind: str,
    number: int,
    job_id: UUID,
    payload: Mapping[str, Any],
    headers: Mapping[str, Any] | None,
) -> Iterator[Callable[[Outcome], None]]:
    """A span around the run of the task `number`; call what it gives with the outcome.

    `headers` are the task's: their `traceparent` is that of the request or task that queued
    it. Without one (a schedule's job, a callback) a trace begins here.
    """
    if tracer() is None:
        yield _untold
        return
    attributes = {
        "messaging.system": "pgqueuer",
        "messaging.operation.type": "process",
        "messaging.destination.name": kind,
        "messaging.message.id": str(number),
        "arxiv_ingestion.job_id": str(job_id),
    }
    if "paper" in payload:
        attributes["arxiv_ingestion.arxiv_id"] = str(payload["paper"])
    parent = {TRACEPARENT: str((headers or {}).get(TRACEPARENT, ""))}
    with span(f"process {kind}", SpanKind.CONSUMER, attributes, parent=parent) as begun:
        assert begun is not None

        def told(outcome: Outcome) -> None:
            begun.set("arxiv_ingestion.outcome", type(outcome).__name__.lower())
            if isinstance(outcome, Fail):
                begun.fail(outcome.code)

        with structlog.contextvars.bound_contextvars(trace_id=begun.trace_id):
            yield told


def _untold(_: Outcome) -> None:
    """Nothing is traced."""
