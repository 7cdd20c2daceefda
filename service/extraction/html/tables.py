r"""Data tables as text: one line a row, cells parted by ` | `.

A cell that spans several columns or rows stands in the first and leaves the others
empty, so that columns stay in line. A bar within a cell is `\|`, within a formula `\vert`.
"""

import re

from service.extraction.html.sinks import LineSink
from service.extraction.inline_math import segments

CELL_SEPARATOR = " | "
_MAX_COLUMNS = 256
_MAX_FILLERS = 20_000  # empty cells that spans may make in one table
_BAR = re.compile(r"(?<!\\)\|")


class TableSink(LineSink):
    """Collects the cells of one table; text outside of cells becomes its last row."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[list[str]] = []
        self._spans: dict[int, int] = {}  # column → rows below that a cell above still covers
        self._fillers = _MAX_FILLERS

    def begin_row(self) -> None:
        """The next cell stands in the first column that no cell above covers."""
        self._rows.append([])
        self._cover()

    def cell(self, text: str, columns: int = 1, rows: int = 1) -> None:
        """Add a cell that covers so many columns and rows."""
        if not self._rows:
            self.begin_row()
        row = self._rows[-1]
        self._span(len(row), columns, rows)
        row.append(_escaped(text))
        self._fill(columns - 1)
        self._cover()

    @property
    def lines(self) -> str:
        """The rows that hold something, without columns that hold nothing."""
        rows = [row for row in self._rows if any(row)]
        if self.line:
            rows.append([_escaped(self.line)])
        width = max(map(len, rows), default=0)
        used = [i for i in range(width) if any(i < len(row) and row[i] for row in rows)]
        return "\n".join(
            CELL_SEPARATOR.join(row[i] if i < len(row) else "" for i in used).rstrip()
            for row in rows
        )

    def _span(self, column: int, columns: int, rows: int) -> None:
        for covered in range(column, min(column + columns, _MAX_COLUMNS)):
            if rows > 1:
                self._spans[covered] = rows

    def _cover(self) -> None:
        """Leave empty what cells above cover, from the end of the row on."""
        row = self._rows[-1]
        while (rows := self._spans.get(len(row), 0)) > 1 and self._fillers > 0:
            self._spans[len(row)] = rows - 1
            self._fill(1)

    def _fill(self, count: int) -> None:
        row = self._rows[-1]
        count = max(0, min(count, self._fillers, _MAX_COLUMNS - len(row)))
        self._fillers -= count
        row.extend([""] * count)


def span(value: str | None) -> int:
    """A `colspan` or `rowspan` as a number from 1 to 1000."""
    if value is None or not value.isascii() or not value.isdigit():
        return 1
    return max(1, min(int(value[:5]), 1000))


def split_row(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in _BAR.split(line)]


def _escaped(text: str) -> str:
    if "|" not in text:
        return text
    return "".join(
        piece.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        if is_math
        else _BAR.sub(r"\\|", piece)
        for is_math, piece in segments(text)
    )
