"""Words broken at line ends stand whole on the line and page where they begin."""

import re
from collections.abc import Sequence
from dataclasses import replace

from service.extraction.hyphenation import Vocabulary, keeps_hyphen
from service.extraction.layout import Line, PageLayout
from service.extraction.lexicon import english_words

SOFT_HYPHEN = "\u00ad"
_HYPHENS = ("-", SOFT_HYPHEN)
_LOOK_AHEAD = 60  # lines (a note, a table) between the parts of a word
_NEXT_SIZE = 0.12  # of the size: how much the very next line may differ
_SAME_SIZE = 0.04  # of the size: text that goes on has the same
_MAX_PARTS = 4  # of one word
_CAPTION = re.compile(
    r"(?:Figure|FIGURE|Fig\.|FIG\.|Table|TABLE|Tab\.|TAB\.|Algorithm|Listing|Scheme|Plate)"
    r"\s*(?:\d|[IVX]+\b)"
)  # no word goes on with it


def mend_words(pages: Sequence[PageLayout]) -> list[PageLayout]:
    """The same pages with their broken words whole; a line that this empties goes."""
    lines = [line for page in pages for line in page.lines]
    text = [at for at, line in enumerate(lines) if line.furniture is None]
    broken = [position for position, at in enumerate(text) if lines[at].text[-1] in _HYPHENS]
    if not broken:
        return list(pages)
    vocabulary = Vocabulary()
    vocabulary.read([lines[at].text for at in text])
    changed: set[int] = set()
    for position in broken:
        at = text[position]
        for _ in range(_MAX_PARTS):
            following = _continuation(lines, text, position)
            if following is None:
                break
            lines[at], lines[following] = _mended(lines[at], lines[following], vocabulary)
            changed |= {at, following}
    return _regrouped(pages, lines, changed)


def _continuation(lines: Sequence[Line], text: Sequence[int], position: int) -> int | None:
    """Which line goes on with the word that this one breaks; None when it is no broken word."""
    line = lines[text[position]]
    if line.text[-1:] not in _HYPHENS or not line.text[-2:-1].isalnum():
        return None
    for at in text[position + 1 : position + 1 + _LOOK_AHEAD]:
        other = lines[at]
        if _CAPTION.match(other.text):
            continue
        is_next = at == text[position] + 1
        if other.text and (_is_like(line, other) or (is_next and _meet(line, other))):
            goes_on = other.text[0].isalnum() and (is_next or _is_word(line.text, other.text))
            return at if goes_on else None
    return None


def _is_like(line: Line, other: Line) -> bool:
    return abs(other.size - line.size) <= _SAME_SIZE * line.size


def _meet(line: Line, other: Line) -> bool:
    """True when what ends the one has about the size of what begins the other."""
    ends = [
        span.size
        for span, piece in zip(line.spans, line.pieces, strict=True)
        if any(map(str.isalnum, piece))
    ]
    return bool(ends) and abs(other.spans[0].size - ends[-1]) <= _NEXT_SIZE * ends[-1]


def _is_word(before: str, after: str) -> bool:
    """True when the parts make an English word, or two."""
    head = before[:-1].rsplit(maxsplit=1)[-1].rpartition("-")[2].lower()
    tail = re.split(r"[^\w]", after, maxsplit=1)[0].lower()
    words = english_words()
    return head + tail in words or (after[0].islower() and head in words and tail in words)


def _mended(line: Line, following: Line, vocabulary: Vocabulary) -> tuple[Line, Line]:
    """Both lines, the word whole on the first."""
    before, after = line.text[:-1], following.text
    tail = after.split(maxsplit=1)[0]
    is_soft = line.text.endswith(SOFT_HYPHEN)
    hyphen = "-" if not is_soft and keeps_hyphen(before, after, vocabulary) else ""
    rest = after[len(tail) :].lstrip()
    pieces = _cut_end(line.pieces, 1)
    pieces = (*pieces[:-1], pieces[-1] + hyphen + tail)
    cut = _cut_start(following.pieces, len(after) - len(rest))
    whole = line._replace(text=before + hyphen + tail, cuts=pieces)
    return whole, following._replace(text=rest, cuts=cut)


def _cut_end(pieces: Sequence[str], count: int) -> tuple[str, ...]:
    whole = "".join(pieces)
    return _cut(pieces, 0, len(whole) - count)


def _cut_start(pieces: Sequence[str], count: int) -> tuple[str, ...]:
    return _cut(pieces, count, sum(map(len, pieces)))


def _cut(pieces: Sequence[str], start: int, end: int) -> tuple[str, ...]:
    """The parts of the pieces between two places in their text."""
    parts, at = [], 0
    for piece in pieces:
        parts.append(piece[max(start - at, 0) : max(end - at, 0)])
        at += len(piece)
    return tuple(parts)


def _regrouped(
    pages: Sequence[PageLayout], lines: Sequence[Line], changed: set[int]
) -> list[PageLayout]:
    result, start = [], 0
    for page in pages:
        end = start + len(page.lines)
        if not changed.isdisjoint(range(start, end)):
            kept = tuple(line for line in lines[start:end] if line.text)
            page = replace(page, lines=kept)  # noqa: PLW2901
        result.append(page)
        start = end
    return result
