"""Text flow: the rows of a paper in reading order, with what tells headings from prose.

Page layouts give lines as PDFium breaks them; a row joins the pieces of one
printed line (a formula in a heading comes in several). Furniture and text that is not
upright are left out. `gap` is the distance down from the row above in the same column.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from service.extraction.layout import Line, PageLayout, Run
from service.extraction.structure.numbering import split_number
from service.extraction.structure.titles import key_of

MAX_ROWS = 200_000  # of one paper: a thousand pages of two hundred lines
_SMALL_CAPS = re.compile(r"csc|smallcap|caps|-sc\b|sc\d+$", re.IGNORECASE)
_SYMBOLS = re.compile(
    r"^(?:CM(?:SY|MI|EX|BSY|MIB)|MS[AB]M|txsy|Symbol|eu[fsr]m|rsfs|stmary|wasy)", re.I
)


class Style(NamedTuple):
    """How a row is set: size to half a point, font, weight, slant, (small) capitals."""

    size: float
    font: str
    is_bold: bool
    is_italic: bool
    is_capitals: bool


@dataclass(frozen=True)
class Row:
    """One printed line of one column; `gap` is None at the top of a page or a column."""

    index: int
    page: int
    lines: tuple[Line, ...]
    gap: float | None

    @cached_property
    def text(self) -> str:
        """Its pieces joined by blanks where there is room between them."""
        if len(self.lines) == 1:
            return self.lines[0].text
        return "".join(run.text for run in self.runs).rstrip()

    @cached_property
    def key(self) -> str:
        """Its text for comparison (`key_of`)."""
        return key_of(self.text)

    @cached_property
    def unnumbered_key(self) -> str:
        """The same without the number at its beginning, if it has one."""
        numbers, title = split_number(self.text)
        return key_of(title) if numbers else self.key

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs of all its pieces in order, a blank between pieces that are apart."""
        runs = list(self.lines[0].runs)
        for left, right in pairwise(self.lines):
            if right.x0 - left.x1 > 0.12 * max(left.size, right.size) and runs:
                runs[-1] = runs[-1]._replace(text=f"{runs[-1].text.rstrip()} ")
            runs.extend(right.runs)
        return tuple(runs)

    @cached_property
    def main(self) -> Line:
        """The piece with the most text: its size and font are the row's."""
        return self.lines[0] if len(self.lines) == 1 else max(self.lines, key=lambda x: len(x.text))

    @property
    def x0(self) -> float:
        """Left edge."""
        return self.lines[0].x0

    @cached_property
    def x1(self) -> float:
        """Right edge."""
        return max(line.x1 for line in self.lines)

    @property
    def baseline(self) -> float:
        """Of its main piece."""
        return self.main.baseline

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.main.y1

    @property
    def size(self) -> float:
        """Font size of its main piece, in points."""
        return self.main.size

    @cached_property
    def style(self) -> Style:
        """What headings of one level have in common: how their first letters are set."""
        lead = self._lead
        size = round(lead.size * 2) / 2
        return Style(size, lead.font.name, lead.font.is_bold, lead.font.is_italic, self.is_capitals)

    @cached_property
    def _lead(self) -> Run | Line:
        words = (run for run in self.runs if sum(map(str.isalpha, run.text)) > 1)
        return next((run for run in words if not is_symbol_font(run.font.name)), self.main)

    @property
    def is_bold(self) -> bool:
        """Whether its letters are bold, symbols aside."""
        return self.main.is_bold

    @property
    def is_italic(self) -> bool:
        """Whether most of its letters are italic."""
        return self.main.font.is_italic

    @cached_property
    def is_capitals(self) -> bool:
        """Whether it is set in capitals or small capitals, but for a letter in ten."""
        text = self.text
        if len(self.key) < 4:
            return False
        if text.isupper() or _SMALL_CAPS.search(self.main.font.name):
            return True
        if not text[:3].isupper() and not text[-3:].isupper():
            return False
        lower = sum(map(str.islower, text))
        return lower * 10 <= sum(map(str.isalpha, text))


@dataclass(frozen=True)
class Flow:
    """All rows of a paper; `size` and `leading` are those of its prose, in points.

    `starts` gives for each page, by number, the index of its first row, and one more
    for the end.
    """

    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    size: float
    leading: float

    def on_page(self, number: int) -> Sequence[Row]:
        """The rows of a page, none for a number that no page has."""
        if not 1 <= number < len(self.starts):
            return ()
        return self.rows[self.starts[number - 1] : self.starts[number]]

    def is_apart(self, row: Row) -> bool:
        """True when there is more room above it than between lines of prose."""
        return row.gap is None or row.gap > 1.22 * max(self.leading, row.size * 1.1)

    def is_prose(self, row: Row) -> bool:
        """True for a row that looks like running text in its size and weight."""
        return abs(row.size - self.size) < 0.3 and not row.is_bold


def flow_of(pages: Iterable[PageLayout]) -> Flow:
    """The rows of `pages`, in their order; what is beyond MAX_ROWS is left out."""
    rows: list[Row] = []
    starts = []
    for page in pages:
        starts.append(len(rows))
        if len(rows) < MAX_ROWS:
            rows.extend(_rows(page, len(rows)))
    starts.append(len(rows))
    size = _prose_size(rows)
    return Flow(tuple(rows), tuple(starts), size, _leading(rows, size))


def is_symbol_font(name: str) -> bool:
    """True for fonts of mathematics, whose weight and slant say nothing about a row's."""
    return _SYMBOLS.match(name) is not None


def _rows(page: PageLayout, first: int) -> Iterator[Row]:
    above: Line | None = None
    pieces: list[Line] = []
    index = first
    lines = [x for x in page.lines if x.furniture is None and x.is_upright and x.text.strip()]
    for line in lines:
        if pieces and _is_same_row(pieces[-1], line):
            pieces.append(line)
            continue
        if pieces:
            yield Row(index, page.number, tuple(pieces), _gap(above, pieces[0]))
            above, index = max(pieces, key=lambda x: len(x.text)), index + 1
        pieces = [line]
    if pieces:
        yield Row(index, page.number, tuple(pieces), _gap(above, pieces[0]))


def _is_same_row(left: Line, right: Line) -> bool:
    """Whether `right` goes on behind `left` on the same printed line of the same column."""
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    room = right.x0 - left.x1
    size = max(left.size, right.size)
    low = min(left.y1 - left.y0, right.y1 - right.y0)
    return overlap > 0.4 * low and -0.5 * size < room < 2.5 * size


def _gap(above: Line | None, line: Line) -> float | None:
    """From baseline to baseline, None when `line` does not stand below `above`."""
    if above is None or line.x0 > above.x1 or line.x1 < above.x0:
        return None
    down = above.baseline - line.baseline
    return down if down > -0.5 * line.size else None


def _prose_size(rows: Sequence[Row]) -> float:
    weights: Counter[float] = Counter()
    for row in rows:
        weights[round(row.size, 1)] += len(row.text)
    return weights.most_common(1)[0][0] if weights else 10.0


def _leading(rows: Sequence[Row], size: float) -> float:
    """The middle of the distances between rows of prose."""
    gaps = [
        r.gap for r in rows if r.gap and abs(r.size - size) < 0.3 and size * 0.8 < r.gap < 3 * size
    ]
    return median_low(gaps) if gaps else 1.2 * size
