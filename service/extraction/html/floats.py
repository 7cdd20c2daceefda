"""Handlers of figures, captions, data tables and listings."""

from functools import partial
from typing import Literal

from lxml.etree import _Element

from service.extraction.html.labels import caption_kind
from service.extraction.html.roles import class_tokens
from service.extraction.html.sinks import CodeSink, LineSink
from service.extraction.html.structure import block
from service.extraction.html.tables import TableSink, span
from service.extraction.html.walk import Walk


def figure(walk: Walk, element: _Element) -> bool:
    """A figure, table or algorithm: what is in it, and a caption."""
    walk.floats.append(class_tokens(element))
    walk.at_end(element, lambda: (walk.floats.pop(), None)[1])
    return block(walk, element)


def caption(walk: Walk, element: _Element) -> bool:
    """A caption, wherever it stands: of the innermost float around it."""
    walk.sink.end_block()
    walk.line(element, partial(_keep_caption, walk), takes_label=True)
    return True


def table(walk: Walk, element: _Element) -> bool:
    """A data table; one within a cell, a caption or a formula is text of that."""
    if not walk.in_flow:
        return block(walk, element)
    walk.flow.end_head()
    sink = TableSink()
    walk.collect(element, sink, lambda: _add(walk, sink.lines, "table"))
    return True


def row(walk: Walk, element: _Element) -> bool:
    """A row of the table."""
    if not isinstance(walk.sink, TableSink):
        return block(walk, element)
    walk.sink.begin_row()
    return True


def cell(walk: Walk, element: _Element) -> bool:
    """A cell of the table, on one line whatever is in it."""
    holder = walk.sink
    if not isinstance(holder, TableSink):
        return block(walk, element)
    columns, rows = span(element.get("colspan")), span(element.get("rowspan"))
    walk.line(element, lambda sink: holder.cell(sink.line, columns, rows))
    return True


def listing(walk: Walk, element: _Element) -> bool:
    """Code or an algorithm: lines stay lines."""
    if not walk.in_flow:
        return block(walk, element)
    walk.flow.end_head()
    raw = element.tag == "pre" or "ltx_verbatim" in class_tokens(element)
    sink = CodeSink(raw=raw)
    walk.collect(element, sink, lambda: _add(walk, sink.code, "code"))
    return True


def _add(walk: Walk, text: str, kind: Literal["table", "code"]) -> None:
    if text:
        walk.builder.paragraph(text, kind)
    else:
        walk.builder.end_notes()


def _keep_caption(walk: Walk, sink: LineSink) -> None:
    classes = walk.floats[-1] if walk.floats else frozenset()
    walk.builder.caption(caption_kind(sink.label, classes), sink.label, sink.line)
