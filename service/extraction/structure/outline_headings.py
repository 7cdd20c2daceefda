"""Headings from the PDF's outline: each bookmark found again in the text of its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.heading_block import Block, block_at, is_prose_style
from service.extraction.structure.navigation import Bookmark, Target
from service.extraction.structure.numbering import Number, split_number
from service.extraction.structure.row import Row
from service.extraction.structure.titles import key_of, role_of, words_of

_NEXT_PAGE_ROWS = 12  # a bookmark may point to the foot of the page before its heading's
_MAX_TRIES = 5  # rows that begin like a title
_MAX_TITLE = 400  # characters
_MIN_FOUND = 0.5  # an outline of which less stands in the text belongs to something else


@dataclass(frozen=True, slots=True)
class _Match:
    score: float
    block: Block


def from_outline(flow: Flow, bookmarks: Sequence[Bookmark]) -> list[Heading]:
    """The headings that an outline names, in the text's order; [] for an outline of no use."""
    entries = _entries(bookmarks)
    found = [_heading(flow, entry) for entry in entries]
    in_text = sum(heading.end > heading.start for heading in found)
    if not found or in_text < _MIN_FOUND * len(found):
        return []
    return sorted(found, key=lambda heading: heading.start)


def _entries(bookmarks: Sequence[Bookmark]) -> list[Bookmark]:
    """Those that lead to a page, levels from 1, without a root that is the paper's title."""
    entries = [b for b in bookmarks if b.target is not None and key_of(b.title)]
    top = [b for b in entries if b.level == min(e.level for e in entries)]
    is_root = len(top) == 1 and top[0] is entries[0] and len(entries) > 2
    if is_root and not _is_numbered(top[0].title):
        entries = entries[1:]
    lowest = min((b.level for b in entries), default=1)
    return [Bookmark(b.title, b.level - lowest + 1, b.target) for b in entries]


def _is_numbered(title: str) -> bool:
    return any(number.is_marked or number.kind == "arabic" for number in split_number(title)[0])


def _heading(flow: Flow, entry: Bookmark) -> Heading:
    target = entry.target or Target(1)
    match = _best(flow, entry.title, target)
    if match is None:
        number, title = _split(entry.title)
        start = _place(flow, target)
        return Heading(start, start, target.page, entry.level, number, title, role_of(title))
    block = match.block
    number, title = _named(entry.title, block.text)
    page = flow.rows[block.start].page
    role = role_of(title)
    return Heading(block.start, block.end, page, entry.level, number, title, role, block.run_in)


def _named(claimed: str, printed: str) -> tuple[str | None, str]:
    """Number and title: as the outline spells them, as printed where it lost something."""
    number, title = _split(claimed)
    printed_number, printed_title = _split(printed)
    if printed_number and key_of(printed_title).startswith(key_of(claimed)):
        return printed_number, claimed.strip()
    if _has_lost(title):
        title = printed_title.rstrip(".:")
    return number or printed_number, title.strip() or printed


def _split(text: str) -> tuple[str | None, str]:
    """Number and title; a lone letter without a dot is taken for a number only before a capital."""
    numbers, title = split_number(text)
    if not numbers or not title or not _is_number(numbers[0], title):
        return None, text.strip()
    return numbers[0].label, title


def _is_number(number: Number, title: str) -> bool:
    if number.is_marked or number.kind == "arabic" or len(number.label) > 1:
        return True
    return number.label not in "AI" and title[:1].isupper()


def _has_lost(title: str) -> bool:
    """True for a title from which hyperref took formulas or references (`The case .`)."""
    return "??" in title or title.endswith((" .", " ,")) or not key_of(title)


def _best(flow: Flow, title: str, target: Target) -> _Match | None:
    match = _match(flow, flow.on_page(target.page), title, target)
    if match is not None and match.score >= 1.5:
        return match
    near = [
        *flow.on_page(target.page + 1)[:_NEXT_PAGE_ROWS],
        *flow.on_page(target.page - 1)[-_NEXT_PAGE_ROWS:],
    ]
    other = _match(flow, near, title, Target(target.page))
    return other if other is not None and other.score >= 3 else match


def _match(flow: Flow, rows: Sequence[Row], title: str, target: Target) -> _Match | None:
    """The best of the rows that begin like the title; by its words if no row does to the letter."""
    keys = key_of(title), key_of(_split(title)[1])
    alike = []
    for row in rows:
        score, expected = _likeness(row, *keys)
        if score:
            alike.append((score + _bonus(flow, row, target), row, expected))
    for score, row, expected in nlargest(_MAX_TRIES, alike, key=itemgetter(0)):
        block = block_at(flow, row.index, expected)
        if not expected or key_of(block.text) == expected:
            return _Match(score, block)
    words = words_of(title)
    by_words = [
        (score + _bonus(flow, row, target), row) for row in rows if (score := _by_words(row, words))
    ]
    best = max(by_words, key=itemgetter(0), default=None)
    return _Match(best[0], block_at(flow, best[1].index)) if best else None


def _bonus(flow: Flow, row: Row, target: Target) -> float:
    return 0.5 * (not is_prose_style(flow, row)) + _nearness(row, target)


def _likeness(row: Row, whole: str, bare: str) -> tuple[float, str]:
    """How much a row begins like a title (0 to 3), and the whole text as it should then be."""
    key, rest = row.key, row.unnumbered_key
    prefix = key[: len(key) - len(rest)]
    for mine, theirs, before in ((key, whole, ""), (rest, bare, prefix), (rest, whole, prefix)):
        if not mine or mine[0] != theirs[:1]:
            continue
        if mine == theirs:
            return 3, before + theirs
        if len(mine) > 2 and theirs.startswith(mine):
            return 2.6, before + theirs
        if len(theirs) > 3 and mine.startswith(theirs):
            return 2.2, ""
    return 0, ""


def _by_words(row: Row, words: Sequence[str]) -> float:
    """For titles with formulas, which an outline leaves out or spells otherwise."""
    text = row.text[:_MAX_TITLE]
    if not words or (text.isascii() and words[0] not in text.lower()):
        return 0
    mine = words_of(text)
    if not mine or mine[0] != words[0]:
        return 0
    at, shared = 0, 0
    for word in words:
        if word in mine[at:]:
            at, shared = mine.index(word, at) + 1, shared + 1
    part = shared / min(len(words), len(mine))
    return 1 + part if part > 0.6 else 0


def _nearness(row: Row, target: Target) -> float:
    """1 for a row just below the target, less with the distance, 0 when it says no place."""
    if target.y is None or row.page != target.page:
        return 0
    away = abs(target.y - 0.5 * row.size - row.baseline)
    aside = 0 if target.x is None or row.x1 > target.x - 5 else 100
    return max(0.0, 1 - (away + aside) / 80)


def _place(flow: Flow, target: Target) -> int:
    """The row before which a heading stands that is not in the text."""
    rows = flow.on_page(target.page)
    if not rows:
        return flow.starts[min(max(target.page - 1, 0), len(flow.starts) - 1)]
    below = (r.index for r in rows if target.y is not None and r.baseline < target.y)
    return next(below, rows[0].index)
