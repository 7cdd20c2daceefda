"""Spans of SQL statements, below the span of the request or task that sends them.

Attributes are those of OpenTelemetry's conventions for databases. A statement has
placeholders where values are, so no value leaves in a span. What no request or task sends
(the queue's own polling, the upkeep) has no span: it would bury the rest.
"""

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from service.domain.tracing import Attributes, Span, SpanKind, tracer

MAX_STATEMENT = 2_000  # characters


def trace_queries(engine: Engine) -> None:
    """Make spans of all that goes through `engine`; to be called where something is traced."""
    common: Attributes = {
        "db.system.name": "postgresql",
        "db.namespace": engine.url.database or "",
        "server.address": engine.url.host or "",
        "server.port": engine.url.port or 5432,
    }

    under_way: WeakKeyDictionary[Any, Span] = WeakKeyDictionary()  # by connection

    def over(conn: object, failure: str | None = None) -> None:
        begun = None if conn is None else under_way.pop(conn, None)
        if begun is not None:
            if failure is not None:
                begun.fail(failure)
            begun.end()

    @event.listens_for(engine, "before_cursor_execute")
    def begin(conn: object, _: object, statement: str, *__: object) -> None:
        tracing = tracer()
        over(conn)  # a statement whose failure nobody told
        if tracing is not None and tracing.is_within:
            operation = statement.lstrip().partition(" ")[0].upper()
            told = {"db.operation.name": operation, "db.query.text": statement[:MAX_STATEMENT]}
            begun = tracing.start(operation, SpanKind.CLIENT, {**common, **told}, None)
            under_way[conn] = begun

    @event.listens_for(engine, "after_cursor_execute")
    def end(conn: object, *_: object) -> None:
        over(conn)

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        over(context.connection, type(context.original_exception).__name__)
