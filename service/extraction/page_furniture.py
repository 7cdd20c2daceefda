"""Page furniture: running heads and feet, page numbers and arXiv's stamp.

Found by position and repetition: what stands in the first or last rows of a
page, at the same height and with the same words but for the numbers on other pages
too. Page numbers also count up with the pages. A line that stands there once
(a conference's notice, a title) is text; so is everything when in doubt.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from service.extraction.layout import Furniture, Line, PageLayout

_ROWS = 2  # rows at each end of a page that may be furniture
_SAME_HEIGHT = 4.0  # points between the baselines of what is the same head
_SAME_ROW = 2.0  # points between the baselines of one row
_MIN_DISTANCE = 1.3  # of its size, from a head or foot to the next row
_MIN_PAGES = 3  # that a head stands on; two in a paper of up to five pages
_SHORT_PAPER = 5
_OUTER = 0.2  # of the page's height, at either end
_MIN_SHARE = 0.4  # of the pages, that page numbers stand on
_MAX_STAMP_LINES = 4

_NUMBER = re.compile(r"\b(?:\d+|[ivxlc]+)\b", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"[-–—~•|(\[ ]*(?:page|p\.|pp\.)?\s*(\d{1,5}|[ivxl]{1,7})"
    r"(?:\s*(?:of|/)\s*\d{1,5})?[-–—~•|)\]. ]*",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"arXiv:(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})\s*v\d+\s+"
    r"(?:\[[A-Za-z.-]+\]\s+)?\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}"
)
_EDGE_NUMBER = re.compile(r"^(\d{1,5})\b|\b(\d{1,5})$")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


class _Candidate(NamedTuple):
    """A line in the first or last rows of a page."""

    page: int
    place: int
    kind: Furniture
    row: int
    line: Line
    is_apart: bool


_Places = dict[tuple[int, int], Furniture]  # what the line at (page, place in it) is


def mark_furniture(pages: Sequence[PageLayout]) -> list[PageLayout]:
    """The same pages, with what each line is in `Line.furniture`."""
    candidates = [found for at, page in enumerate(pages) for found in _candidates(at, page)]
    places: _Places = {}
    places.update(_repeated(candidates, len(pages)))
    places.update(_numbered(candidates, len(pages)))
    if pages:
        places.update(((0, place), Furniture.STAMP) for place in _stamp(pages[0]))
    kinds: dict[int, dict[int, Furniture]] = defaultdict(dict)
    for (page, place), kind in places.items():
        kinds[page][place] = kind
    return [_marked(page, kinds[at]) if at in kinds else page for at, page in enumerate(pages)]


def _marked(page: PageLayout, kinds: Mapping[int, Furniture]) -> PageLayout:
    lines = tuple(
        line._replace(furniture=kinds[place]) if place in kinds else line
        for place, line in enumerate(page.lines)
    )
    return replace(page, lines=lines)


def _candidates(at: int, page: PageLayout) -> Iterator[_Candidate]:
    """The lines of the first and last rows."""
    rows = _rows(page.lines)
    for kind, ordered in ((Furniture.HEAD, rows), (Furniture.FOOT, rows[::-1])):
        for row, (places, following) in enumerate(pairwise([*ordered[: _ROWS + 1], []])):
            if row == _ROWS or (len(rows) == 1 and kind is Furniture.HEAD):
                break
            for place in places:
                line = page.lines[place]
                if not _is_outer(page, line):
                    continue
                distance = min(
                    (abs(page.lines[other].baseline - line.baseline) for other in following),
                    default=page.height,
                )
                yield _Candidate(at, place, kind, row, line, distance > _MIN_DISTANCE * line.size)


def _is_outer(page: PageLayout, line: Line) -> bool:
    """True in the upper and lower parts of the page, where furniture may stand."""
    height = (line.baseline - page.box[1]) / page.height if page.height > 0 else 0.0
    return not _OUTER < height < 1 - _OUTER


def _rows(lines: Sequence[Line]) -> list[list[int]]:
    """The places of upright lines in rows of one height, from the top down."""
    upright = [place for place, line in enumerate(lines) if line.is_upright]
    upright.sort(key=lambda place: -lines[place].baseline)
    rows: list[list[int]] = []
    for place in upright:
        if rows and lines[rows[-1][-1]].baseline - lines[place].baseline < _SAME_ROW:
            rows[-1].append(place)
        else:
            rows.append([place])
    return rows


def _repeated(candidates: Sequence[_Candidate], pages: int) -> _Places:
    """Heads and feet with the same words at the same height on several pages."""
    worded = [(found, _words(found.line.text)) for found in candidates if found.is_apart]
    seen = _Heights()
    for found, words in worded:
        seen.add(found, words)
    return {
        (found.page, found.place): found.kind
        for found, words in worded
        if sum(map(str.isalpha, words)) > 1 and seen.pages(found, words) >= _wanted(pages)
    }


def _words(text: str) -> str:
    """`text` with a sign for each number, in lower case."""
    return " ".join(_NUMBER.sub("#", text).casefold().split())


def _wanted(pages: int) -> int:
    return _MIN_PAGES if pages > _SHORT_PAPER else 2


class _Heights:
    """On how many pages something stands at about the same height."""

    def __init__(self) -> None:
        self._pages: dict[tuple[object, ...], set[int]] = defaultdict(set)

    def add(self, found: _Candidate, what: object) -> None:
        self._pages[what, found.kind, self._step(found)].add(found.page)

    def pages(self, found: _Candidate, what: object) -> int:
        around = range(self._step(found) - 1, self._step(found) + 2)
        sets = (self._pages.get((what, found.kind, step), set()) for step in around)
        return len(set().union(*sets))

    @staticmethod
    def _step(found: _Candidate) -> int:
        return round(found.line.baseline / _SAME_HEIGHT)


def _numbered(candidates: Sequence[_Candidate], pages: int) -> _Places:
    """Page numbers, and heads and feet that hold one: numbers that count up with the pages."""
    offsets = {
        (found.page, found.place): number - found.page
        for found in candidates
        if (number := _number(found)) is not None
    }
    offset = _common_offset(offsets, pages)
    if offset is None:
        return {}
    numbered = [found for found in candidates if offsets.get((found.page, found.place)) == offset]
    heights = _Heights()
    for found in numbered:
        heights.add(found, None)
    places: _Places = {}
    for found in numbered:
        is_usual = heights.pages(found, None) >= _wanted(pages) and found.is_apart
        if _PAGE_NUMBER.fullmatch(found.line.text) and (found.row == 0 or is_usual):
            places[found.page, found.place] = Furniture.PAGE_NUMBER
        elif is_usual:
            places[found.page, found.place] = found.kind
    rows = {(f.page, f.kind, f.row) for f in numbered if (f.page, f.place) in places and f.is_apart}
    for found in candidates:  # what stands beside a page number
        if (found.page, found.kind, found.row) in rows and heights.pages(found, None) >= _MIN_PAGES:
            places.setdefault((found.page, found.place), found.kind)
    return places


def _number(found: _Candidate) -> int | None:
    """The number that the line is; else, where it is apart, that it begins or ends with."""
    text = found.line.text
    whole = _PAGE_NUMBER.fullmatch(text)
    if whole:
        return int(whole[1]) if whole[1].isdecimal() else _roman(whole[1].lower())
    edge = _EDGE_NUMBER.search(text) if found.is_apart else None
    return int(edge[1] or edge[2]) if edge else None


def _roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text]
    return sum(-a if a < b else a for a, b in pairwise([*values, 0]))


def _common_offset(offsets: Mapping[tuple[int, int], int], pages: int) -> int | None:
    """The difference between number and place of the page that most pages have."""
    seen: dict[int, set[int]] = defaultdict(set)
    for (page, _), offset in offsets.items():
        seen[offset].add(page)
    if not seen:
        return None
    best = max(seen, key=lambda offset: (len(seen[offset]), offset == 1))
    if pages == 1:
        return 1 if 1 in seen else None
    return best if len(seen[best]) >= max(2, pages * _MIN_SHARE) else None


def _stamp(page: PageLayout) -> list[int]:
    """The places of the lines of arXiv's stamp, which stands up the margin of the first page."""
    places = [place for place, line in enumerate(page.lines) if not line.is_upright]
    for count in range(1, _MAX_STAMP_LINES + 1):
        for at in range(len(places) - count + 1):
            text = " ".join(page.lines[place].text for place in places[at : at + count])
            if _STAMP.fullmatch(" ".join(text.split())):
                return places[at : at + count]
    return []
