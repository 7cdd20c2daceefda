"""Text flow: the rows of a paper in reading order, with what tells headings from prose.

Page layouts give lines as PDFium breaks them; a row joins the pieces of one
printed line (a formula in a heading comes in several). Furniture and text that is not
upright are left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median_low

from service.extraction.layout import Line, PageLayout
from service.extraction.structure.row import Row

MAX_ROWS = 200_000  # of one paper: a thousand pages of two hundred lines
MAX_ROWS_OF_PAGE = 600  # in which headings are looked for
_FAR = 1e6  # points; no page is larger, and neither infinity nor what is no number is less


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
        """The first rows of a page, none for a number that no page has."""
        if not 1 <= number < len(self.starts):
            return ()
        first, end = self.starts[number - 1], self.starts[number]
        return self.rows[first : min(end, first + MAX_ROWS_OF_PAGE)]

    def is_apart(self, row: Row) -> bool:
        """True when there is more room above it than between lines of prose."""
        gap = row.gap
        return gap is None or (gap > 1.22 * self.leading and gap > 1.34 * row.size)

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


def _rows(page: PageLayout, first: int) -> Iterator[Row]:
    above: Line | None = None
    pieces: list[Line] = []
    index = first
    lines = [_sane(x) for x in page.lines if x.furniture is None and x.is_upright]
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


def _sane(line: Line) -> Line:
    """The line, with zeros where a file claims places or sizes that cannot be."""
    low, high = line.x0 + line.y0, line.x1 + line.y1  # no number and infinity pass into sums
    if -_FAR < low < _FAR and -_FAR < high < _FAR and -_FAR < line.baseline + line.size < _FAR:
        return line
    return line._replace(x0=0.0, y0=0.0, x1=1.0, y1=1.0, baseline=0.0, size=0.0)


def _is_same_row(left: Line, right: Line) -> bool:
    """Whether `right` goes on behind `left` on the same printed line of the same column."""
    room, size = right.x0 - left.x1, left.size
    if room < -0.5 * size and room < -0.5 * right.size:
        return False
    size = max(size, right.size)
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    low = min(left.y1 - left.y0, right.y1 - right.y0)
    return overlap > 0.4 * low and -0.5 * size < room < 2.5 * size


def _gap(above: Line | None, line: Line) -> float | None:
    """From baseline to baseline, None when `line` does not stand below `above`."""
    if above is None or line.x0 > above.x1 or line.x1 < above.x0:
        return None
    down = above.baseline - line.baseline
    return down if down > -0.5 * line.size else None


def _prose_size(rows: Sequence[Row]) -> float:
    exact: dict[float, int] = {}
    for row in rows:
        exact[row.size] = exact.get(row.size, 0) + len(row.main.text)
    weights: Counter[float] = Counter()
    for size, weight in exact.items():
        weights[round(size, 1)] += weight
    return weights.most_common(1)[0][0] if weights else 10.0


def _leading(rows: Sequence[Row], size: float) -> float:
    """The middle of the distances between rows of prose."""
    gaps = [
        r.gap for r in rows if r.gap and abs(r.size - size) < 0.3 and size * 0.8 < r.gap < 3 * size
    ]
    return median_low(gaps) if gaps else 1.2 * size
