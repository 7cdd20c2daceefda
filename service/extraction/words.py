"""Words that PDFium glues together, split where the glyphs stand apart.

PDFium takes a gap for a blank when it is wider than a share of the next letter's
width; in tightly set lines blanks are narrower (0.06–0.2 em), and the text has
`ofthe`. Words that no dictionary has are measured; a page where one of them
has a gap is measured as a whole. A gap is told from letter-spacing by the
usual gap around it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from operator import gt, sub

from service.extraction.lexicon import english_words, is_common
from service.extraction.pdfium_page import Characters, LineSpans

MIN_GAP = 0.055  # of the size, above the usual gap; kerning stays below 0.04
MAX_GAP = 1.0  # of the size; more is no gap between words
_MIN_LETTERS = 5  # shorter words are too many to measure, and seldom glued
_MIN_SPACED = 3  # gaps of a word that tell whether it is letter-spaced
_SUSPECTS = re.compile(rf"(?<![A-Za-zﬀ-ﬄ])[a-z]{{{_MIN_LETTERS},}}")  # names are too many, too
_TOKENS = re.compile(r"[^\W\d_](?:[^\W\d_]|[,.;:)\]”’](?=[^\W\d_]))+")
_LETTERS = re.compile(r"[^\W\d_]+")


def split_glued(page: Characters, known: set[str]) -> None:
    """Put blanks into words that were glued; `known` holds the words found whole before."""
    tokens = set(page.text.split()) - known  # most were on earlier pages
    new = set(_SUSPECTS.findall(" ".join(tokens))) - known
    suspects = new - english_words()
    places = list(_places(page, suspects))
    if _have_gaps(page, places) and any(_parting(page, *place) for place in places):
        _split_page(page)
    else:
        known |= new
        known |= tokens


def _have_gaps(page: Characters, places: Sequence[tuple[LineSpans, int, int]]) -> bool:
    """True when any letters stand apart in these words: asked in bulk, for it is seldom so."""
    edges = page.edges([at for _, start, end in places for at in range(start, end)])
    gaps = map(sub, edges[4::4], edges[2::4])
    limits: list[float] = []
    for line, start, end in places:
        limits += [MIN_GAP * max(span.size for span in line.spans)] * (end - start - 1) + [inf]
    return any(map(gt, gaps, limits))


def _places(page: Characters, words: Iterable[str]) -> Iterator[tuple[LineSpans, int, int]]:
    """A line with each word, and where it stands there."""
    starts = [line.start for line in page.lines]
    for word in words:
        at = page.text.find(word)
        number = bisect_right(starts, at) - 1
        if number >= 0 and at + len(word) <= page.lines[number].end:
            yield page.lines[number], at, at + len(word)


def _split_page(page: Characters) -> None:
    for line in page.lines:
        for found in _TOKENS.finditer(page.text, line.start, line.end):
            if not is_common(found[0].lower()):
                for at in _parting(page, line, *found.span()):
                    page.chars[at] = " " + page.chars[at]


def _parting(page: Characters, line: LineSpans, start: int, end: int) -> list[int]:
    """The letters between `start` and `end` where words begin that were glued.

    They stand apart from what is before them, and most of the parts are words.
    """
    size = max(span.size for span in line.spans)
    edges = page.edges(range(start, end))
    gaps = [(x0 - x1) / size for x1, x0 in zip(edges[2::4], edges[4::4], strict=False)]
    if size <= 0 or max(gaps, default=0.0) <= MIN_GAP:
        return []
    usual = max(0.0, sorted(gaps)[(len(gaps) - 1) // 2]) if len(gaps) >= _MIN_SPACED else 0.0
    found = [
        at
        for at, gap in enumerate(gaps, start + 1)
        if usual + MIN_GAP < gap < MAX_GAP and page.text[at].isalpha() and not _is_math(line, at)
    ]
    parts = [page.text[a:b] for a, b in pairwise([start, *found, end])]
    return found if found and _are_words(parts) else []


def _are_words(parts: Sequence[str]) -> bool:
    """True when at least half of the parts are words."""
    letters = [_LETTERS.search(part) for part in parts]
    known = sum(bool(part) and is_common(part[0].lower()) for part in letters if part)
    return 2 * known >= len(parts)


def _is_math(line: LineSpans, at: int) -> bool:
    """True in math italics, where TeX's italic correction looks like a gap."""
    spans = [span for span in line.spans if span.start <= at]
    return bool(spans) and "MI" in spans[-1].font.name.upper()[:7]
