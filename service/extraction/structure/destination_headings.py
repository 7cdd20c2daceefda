"""Headings from hyperref's named destinations: `section.3`, `subsection.3.2`, `section*.7`.

A destination says the kind and (but for starred ones) the number, so the row just below it that
begins with that number is the heading. A starred one is followed only where the row below
is set like a heading: hyperref sets one for each paragraph title, too.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.heading_block import block_at, is_prose_style
from service.extraction.structure.navigation import Destination, Target
from service.extraction.structure.numbering import split_number
from service.extraction.structure.row import Row, Style
from service.extraction.structure.titles import role_of

MAX_HEADINGS = 1_000  # destinations of one kind that are looked at
_KINDS = {"part": 0, "chapter": 1, "section": 2, "appendix": 2, "subsection": 3, "subsubsection": 4}
_NUMBERED = re.compile(
    r"(?P<kind>part|chapter|section|appendix|subsection|subsubsection)\.(?P<number>[\w.]{1,24})",
    re.IGNORECASE,
)
_STARRED = re.compile(r"(?:part|chapter|(?:sub){0,2}section)\*\.\d{1,6}", re.IGNORECASE)
_ABOVE, _BELOW = 14.0, 75.0  # points: how far a heading stands above and below its destination


@dataclass(frozen=True, slots=True)
class _Place:
    """A destination: the counters of its number and the depth of its kind, if it has them."""

    target: Target
    depth: int | None
    parts: tuple[int, ...]


def from_destinations(flow: Flow, destinations: Sequence[Destination]) -> list[Heading]:
    """The headings that numbered destinations name, in the text's order."""
    named = (place for place in map(_numbered, destinations) if place is not None)
    places = list(islice(named, MAX_HEADINGS))
    lowest = min((place.depth or 0 for place in places), default=0)
    found: dict[int, Heading] = {}
    for place in places:
        row = _numbered_row(flow, place)
        if row is not None and row.index not in found:
            found[row.index] = _heading(flow, row, (place.depth or 0) - lowest + 1)
    return [found[index] for index in sorted(found)]


def starred(
    flow: Flow, destinations: Sequence[Destination], known: Iterable[Heading]
) -> list[Heading]:
    """Headings at starred destinations that are set as one of those that are known already."""
    levels: dict[Style, int] = {}
    taken: set[int] = set()
    for heading in known:
        taken.update(range(heading.start, heading.end))
        if heading.end > heading.start:
            levels.setdefault(flow.rows[heading.start].style, heading.level)
    found: dict[int, Heading] = {}
    places = (d.target for d in destinations if _STARRED.fullmatch(d.name))
    for target in islice(places, MAX_HEADINGS):
        row = _starred_row(flow, target)
        if row is not None and row.index not in taken and row.style in levels:
            found[row.index] = _heading(flow, row, levels[row.style])
    return [found[index] for index in sorted(found) if found[index].run_in is None]


def _numbered(destination: Destination) -> _Place | None:
    match = _NUMBERED.fullmatch(destination.name)
    if match is None:
        return None
    parts = tuple(_counter(piece) for piece in match["number"].split("."))
    return _Place(destination.target, _KINDS[match["kind"].lower()], parts)


def _counter(piece: str) -> int:
    """`3` → 3; `B` → 2; `S1` → 1; -1 for what counts nothing."""
    if piece.isdigit():
        return int(piece[:6])
    if len(piece) == 1 and piece.isascii():
        return ord(piece.upper()) - 64
    digits = re.search(r"\d{1,4}$", piece)
    return int(digits[0]) if digits else -1


def _numbered_row(flow: Flow, place: _Place) -> Row | None:
    """The nearest row by the destination whose number is its; else one set like a heading."""
    near = _near(flow, place.target)
    by_number = (row for row in near if _has_number(row, place.parts))
    plain = (row for row in near[:3] if not is_prose_style(flow, row) and row.key.isalpha())
    return next(by_number, None) or next(plain, None)


def _starred_row(flow: Flow, target: Target) -> Row | None:
    return next((r for r in _near(flow, target)[:2] if not is_prose_style(flow, r)), None)


def _near(flow: Flow, target: Target) -> list[Row]:
    """Rows by a target, nearest first, those below it before those above."""
    rows = flow.on_page(target.page)
    if target.y is None:
        return list(rows)
    x, y = target.x, target.y
    away = [(y - row.top, row) for row in rows if x is None or row.x1 > x - 5 > row.x0 - 400]
    close = [(d if d >= -6 else -d + 20, row) for d, row in away if -_ABOVE - row.size < d < _BELOW]
    return [row for _, row in sorted(close, key=lambda pair: pair[0])]


def _has_number(row: Row, parts: tuple[int, ...]) -> bool:
    """Also where only the last part is printed, as REVTeX does: `B.` for 2.2."""
    numbers, title = split_number(row.text)
    wanted = (parts, parts[-1:])
    return sum(c.isalpha() for c in title) > 1 and any(number.parts in wanted for number in numbers)


def _heading(flow: Flow, row: Row, level: int) -> Heading:
    block = block_at(flow, row.index)
    numbers, title = split_number(block.text)
    number = numbers[0].label if numbers and title else None
    title = title.rstrip(".:") if block.run_in is not None else title
    role = role_of(title)
    return Heading(block.start, block.end, row.page, level, number, title, role, block.run_in)
