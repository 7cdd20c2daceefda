"""Handlers of display equations: one for each row, with its number and TeX."""

from lxml.etree import _Element

from service.extraction.html.inline import formula as inline_formula
from service.extraction.html.sinks import Row, RowSink
from service.extraction.html.structure import block
from service.extraction.html.tex import tex_of
from service.extraction.html.walk import Walk
from service.extraction.inline_math import between_dollars


def equation(walk: Walk, element: _Element) -> bool:
    """A display of one row or many; its table is layout, no data."""
    if isinstance(walk.sink, RowSink):
        return _row(walk, walk.sink, element)
    walk.sink.end_block()
    if walk.in_flow:
        walk.flow.end_head()
    sink = RowSink()
    sink.row_id = element.get("id")
    walk.collect(element, sink, lambda: _add(walk, sink.take_row()))
    return True


def equation_row(walk: Walk, element: _Element) -> bool:
    """A row of a display."""
    sink = walk.sink
    if not isinstance(sink, RowSink):
        return block(walk, element)
    return _row(walk, sink, element)


def formula(walk: Walk, element: _Element) -> bool:
    """A formula within text, or a display that has no table around it."""
    if element.get("display") == "block" and walk.in_flow and "alttext" in element.attrib:
        walk.flow.end_head()
        _add(walk, Row(tex_of(element) or "", "", None, element.get("id")))
        return False
    return inline_formula(walk, element)


def _row(walk: Walk, sink: RowSink, element: _Element) -> bool:
    """A row of its own, whether a table's or, in pages that align nothing, a block of a group."""
    _add_row(walk, sink)
    sink.row_id = _row_id(element) or sink.row_id
    walk.at_end(element, lambda: _add_row(walk, sink))
    return True


def _row_id(element: _Element) -> str | None:
    """The id of a row stands on it, or on the `tbody` around it (LaTeXML ≥ 0.8.4)."""
    parent = element.getparent()
    if element.get("id") or parent is None or parent.tag != "tbody":
        return element.get("id")
    return parent.get("id")


def _add_row(walk: Walk, sink: RowSink) -> None:
    """Add a row at its end, while the sink of its display is still the last."""
    row = sink.take_row()
    if row.tex or row.words:
        walk.beneath(lambda: _add(walk, row))


def _add(walk: Walk, row: Row) -> None:
    if not row.tex:
        walk.sink.text(row.words)
        walk.sink.end_block()
        return
    walk.sink.end_block()
    equation = walk.builder.equation(row.tex, row.number, row.id)
    if not walk.in_flow:
        walk.sink.tex(row.tex)
        return
    shown = between_dollars(row.tex)
    tag = rf" \tag{{{equation.number}}}" if equation.number and "$" not in equation.number else ""
    walk.builder.paragraph(f"$${shown}{tag}$$", "equation")
