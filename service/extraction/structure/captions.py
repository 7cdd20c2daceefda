"""Captions of figures, tables and algorithms: rows that begin with such a label and a number.

Prose begins rows with "Figure 3 shows" as well: a caption stands apart from what is above it,
and its label ends in a mark, stands alone, or is set otherwise than the text behind it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from service.extraction.document import Caption, CaptionKind
from service.extraction.structure.flow import Flow
from service.extraction.structure.heading_block import lead_of
from service.extraction.structure.row import Row

MAX_CAPTIONS = 2_000
MAX_ROWS = 60  # of one caption
_WORD = (
    r"(?P<figure>fig(?:ure|s?\.|(?=\s?\d))|abb(?:ildung|\.))|(?P<table>tab(?:le|elle|\.))"
    r"|(?P<algorithm>alg(?:orithm|\.))"
    r"|(?P<other>listing|scheme|chart|box|plate|video|movie|program|protocol|map|diagram)"
)
_LABEL = re.compile(
    rf"\s*(?:(?i:suppl(?:ementary|\.)|extended data|online|appendix)\s+)?(?i:{_WORD})\s*"
    r"(?P<number>(?:[A-Z]{1,2}[.\-–]?)?\d{1,3}(?:[.\-–]\d{1,3}){0,2}[a-z]?|[IVXLC]{1,7}|[A-Z])"
    r"(?P<end>\s?[.:|]*\s?[—–-]+|\s?[.:|]+(?=\s|$)|(?=\s|$))\s*"
)
_STEP = re.compile(
    r"\s*(?:(?:require|ensure|input|inputs|output|data|result)s?\b\s?:|1\s?:)", re.IGNORECASE
)
_CONTINUED = re.compile(r"\W*\(?cont(?:inued|\.|’d|'d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlacedCaption:
    """A caption and the rows `start` to `end` (exclusive) that hold it."""

    start: int
    end: int
    caption: Caption


def captions_of(flow: Flow, taken: Collection[int]) -> list[PlacedCaption]:
    """All captions in the text's order; rows in `taken` (headings, references) hold none."""
    found: list[PlacedCaption] = []
    end = 0
    for row in flow.rows:
        if row.index < end or row.index in taken or len(found) >= MAX_CAPTIONS:
            continue
        match = _LABEL.match(row.text)
        if match is not None and _is_caption(flow, row, match):
            placed = _caption(flow, row, match, taken)
            found.append(placed)
            end = placed.end
    return found


def unique(found: Iterable[PlacedCaption]) -> list[Caption]:
    """Each caption once: those of a table that goes on over pages are printed again."""
    by_label: dict[tuple[str, str | None], Caption] = {}
    kept: list[Caption] = []
    for caption in (placed.caption for placed in found):
        first = by_label.setdefault((caption.kind, caption.number), caption)
        is_again = first is not caption and first.text[:60] == caption.text[:60]
        if not is_again and not _CONTINUED.match(caption.text):
            kept.append(caption)
    return kept


def _is_caption(flow: Flow, row: Row, match: re.Match[str]) -> bool:
    rest = row.text[match.end() :]
    if not rest:
        return len(row.text) < 40 and _stands_apart(flow, row)
    if not _stands_apart(flow, row):
        return False
    is_marked = bool(match["end"].strip())
    lead = lead_of(row)
    is_set_off = match.end() - 2 <= lead < len(row.text) or row.size < flow.size - 0.7
    is_title = match["algorithm"] is not None and rest[:1].isupper()
    return is_marked or (is_set_off and not rest[:1].islower()) or is_title


def _stands_apart(flow: Flow, row: Row) -> bool:
    """Apart from the row above, or set in another size than that, or first of its column."""
    if flow.is_apart(row) or row.index == 0:
        return True
    return abs(flow.rows[row.index - 1].size - row.size) > 0.6


def _caption(flow: Flow, first: Row, match: re.Match[str], taken: Collection[int]) -> PlacedCaption:
    texts = [first.text[match.end() :]]
    end = first.index + 1
    last = first
    while end < min(first.index + MAX_ROWS, len(flow.rows)) and end not in taken:
        row = flow.rows[end]
        if not _goes_on(last, row, is_title=len("".join(texts).strip()) == 0):
            break
        texts.append(row.text)
        last, end = row, end + 1
    text = " ".join(" ".join(text.split()) for text in texts if text.strip()).strip()
    caption = Caption(_kind(match), match["number"], text, first.page)
    return PlacedCaption(first.index, end, caption)


def _goes_on(last: Row, row: Row, *, is_title: bool) -> bool:
    """Whether a row still belongs to a caption; below a label alone its title may stand apart."""
    if row.gap is None or row.page != last.page:
        return False
    if _LABEL.match(row.text) or _STEP.match(row.text):
        return False
    room = 2.2 if is_title else 1.55
    is_near = row.gap < room * max(row.size, last.size)
    return is_near and (is_title or abs(row.size - last.size) < 0.8)


def _kind(match: re.Match[str]) -> CaptionKind:
    for kind in ("figure", "table", "algorithm"):
        if match[kind]:
            return kind
    return "other"
