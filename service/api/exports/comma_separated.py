"""CSV of papers (RFC 4180): a header, a line for each paper, no cell that is a formula.

A spreadsheet runs a cell that begins with `= + - @`, a tab or a carriage return: it gets a
leading `'` (OWASP, CSV injection). Lists are joined with `; `, nulls are empty.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_RUN = ("=", "+", "-", "@", "\t", "\r")
_SEPARATOR = "; "


def lines(papers: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A line for each paper, with the keys that are named in `columns`."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerows([_cell(paper.get(name)) for name in columns] for paper in papers)
    return written.getvalue()


def header(columns: Sequence[str]) -> str:
    """The first line."""
    return ",".join(columns) + "\r\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = _SEPARATOR.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"'{text}" if text.startswith(_RUN) else text
