"""Title and abstract: what stands on a paper's first pages before its text begins."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.heading_candidates import contents_rows
from service.extraction.structure.row import Row
from service.extraction.structure.titles import Role, key_of

_MAX_TITLE_ROWS = 6
_MAX_ABSTRACT_ROWS = 120
_NOT_TITLE = re.compile(
    r"arxiv:|preprint|draft|published|accepted|submitted|to appear|under review|"
    r"proceedings|journal|(?:.{0,20}\b)?journal of|provided proper|permission|conference|workshop|"
    r"(?:https?|doi|issn|isbn)\b|vol(?:ume|\.)|\d+$|page \d|copyright|©|received|version|printed|"
    r"astronomy & astrophysics|mon\. not\.",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(r"\s*(?:abstract|a\s?b\s?s\s?t\s?r\s?a\s?c\s?t|summary)\s*[.:—–-]+\s*", re.I)
_ABSTRACT_LEAD = re.compile(r"\s*(?:abstract|A\s?B\s?S\s?T\s?R\s?A\s?C\s?T)\b[\s.:—–-]*", re.I)
_BEHIND = re.compile(
    r"\s*(?:key\s?-?words?|index terms|subject headings|pacs\b|msc\b|ccs concepts|general terms|"
    r"categories and|(?:\d{4} )?mathematics subject|jel\b|acm reference|received|doi:|"
    r"table of contents|contents$)",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"\b[a-z]{2,}\b")  # names and addresses have few
_MARKS = re.compile(r"[\s∗*†‡§¶#]*(?:\^\S{1,6})?[\s∗*†‡§¶#]*$")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`end` is the row where the text begins; `abstract_rows` are within or behind that."""

    title: str | None
    abstract: str | None
    abstract_rows: range
    end: int


def front_matter_of(flow: Flow, headings: Sequence[Heading]) -> FrontMatter:
    """Title, abstract, and where the text begins that is neither of them nor authors."""
    first = next((h for h in headings if h.role is None and h.end > h.start), None)
    limit = first.start if first is not None and first.page <= 3 else None
    rows = _abstract_rows(flow, headings, limit)
    before = rows.start if rows else limit if limit is not None else len(flow.on_page(1))
    title = _title(flow.rows[: min(before, 60)])
    abstract = _text(flow, rows) if rows else None
    if not rows and limit is None:  # neither abstract nor headings: all but the title is text
        return FrontMatter(title, None, rows, 0)
    end = max(rows.stop, limit if limit is not None and limit >= rows.stop else 0)
    return FrontMatter(title, abstract or None, rows, end)


def _title(rows: Sequence[Row]) -> str | None:
    """The rows on the first page that are set largest, or in bold or capitals where sizes agree."""
    good = [
        row
        for row in rows
        if row.page == 1
        and len(row.key) > 2
        and not _NOT_TITLE.match(row.text)
        and row.key.strip("0123456789")
    ]
    if not good:
        return None
    first = max(good, key=lambda row: (_prominence(row), -row.index))
    texts = [first]
    for row in rows[first.index + 1 : first.index + _MAX_TITLE_ROWS]:
        is_near = row.gap is not None and row.gap < 2.2 * row.size
        if not is_near or abs(row.size - first.size) > 0.6 or row.is_bold != first.is_bold:
            break
        if _prominence(row) + 0.7 < _prominence(first):
            break
        texts.append(row)
    text = " ".join(" ".join(row.text.split()) for row in texts)
    return _MARKS.sub("", text).strip() or None


def _prominence(row: Row) -> float:
    return row.size + 0.8 * row.is_bold + 0.5 * row.is_capitals


def _abstract_rows(flow: Flow, headings: Sequence[Heading], limit: int | None) -> range:
    """From its heading, from the word that begins it, or the last block before the text."""
    for heading in headings:
        if heading.role is Role.ABSTRACT and heading.page <= 4:
            start = heading.end - (heading.run_in is not None)
            return range(start, _end(flow, start, headings))
    stop = limit if limit is not None else len(flow.on_page(1))
    for row in flow.rows[:stop]:
        if _ABSTRACT.match(row.text):
            return range(row.index, _end(flow, row.index, headings))
    return _unmarked(flow, stop) if limit is not None else range(0)


def _unmarked(flow: Flow, stop: int) -> range:
    """An abstract without a title, as in REVTeX: the longest block of prose before the text."""
    best, most, start, words = range(0), 0, 0, 0
    skipped = contents_rows(flow)
    for row in flow.rows[:stop]:
        is_far = row.gap is None or row.gap > 1.7 * row.size
        if is_far or abs(row.size - flow.rows[start].size) > 0.4 or row.index in skipped:
            start, words = row.index, 0
        words += len(_PLAIN_WORD.findall(row.text)) * (row.index not in skipped)
        if words > most:
            best, most = range(start, row.index + 1), words
    return best if len(best) >= 3 and most >= 40 else range(0)


def _end(flow: Flow, start: int, headings: Sequence[Heading]) -> int:
    """Where an abstract ends: at a heading, at keywords, or where type or edge change."""
    stop = min((h.start for h in headings if h.start > start), default=len(flow.rows))
    rows = flow.rows[start : min(stop, start + _MAX_ABSTRACT_ROWS)]
    if not rows:
        return start
    first, left = rows[0], rows[0].x0
    for at, row in enumerate(rows[1:], 1):
        is_other = row.page == first.page and abs(row.size - first.size) > 0.7 and len(row.text) > 8
        is_moved = row.gap is None and at > 2
        is_far = row.gap is not None and row.gap > 2.3 * row.size and at > 1
        is_wider = flow.is_apart(row) and at > 2 and row.x0 < left - 8
        if is_other or is_moved or is_far or is_wider or _BEHIND.match(row.text):
            return start + at
        left = min(left, row.x0)
    return rows[-1].index + 1


def _text(flow: Flow, rows: range) -> str:
    text = " ".join(" ".join(flow.rows[i].text.split()) for i in rows)
    return _ABSTRACT_LEAD.sub("", text, count=1).strip()


def is_title(heading: Heading, title: str | None) -> bool:
    """True for an entry of an outline that is the paper's title."""
    return title is not None and heading.page == 1 and key_of(heading.title) == key_of(title)
