"""Words that PDFium glues together, split where the glyphs stand apart.

PDFium takes a gap for a blank when it is wider than a share of the next letter's
width; in tightly set lines blanks are narrower (0.06–0.2 em), and the text has
`ofthe`. Words that no dictionary has are measured; a page where one of them
has a gap is measured as a whole. A gap is told from letter-spacing by the
usual gap around it.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median_low

from service.extraction.lexicon import english_words
from service.extraction.pdfium_page import Characters, LineSpans

MIN_GAP = 0.055  # of the size, above the usual gap; kerning stays below 0.04
MAX_GAP = 1.0  # of the size; more is no gap between words
_MIN_LETTERS = 5  # shorter words are too many to measure, and seldom glued
_WORDS = re.compile(rf"[^\W\d_]{{{_MIN_LETTERS},}}")
_BEFORE_A_GAP = re.compile(r"[^\W\d_]|[,.;:)\]”’]")


def split_glued(page: Characters, known: set[str]) -> None:
    """Put blanks into words that were glued; `known` holds the words found whole before."""
    words = english_words()
    for line in page.lines:
        suspects = {
            found[0]: found.span()
            for found in _WORDS.finditer(page.text, line.start, line.end)
            if found[0] not in known and found[0].lower() not in words
        }
        known.update(suspects)
        if suspects and any(_gaps(page, line, *place) for place in suspects.values()):
            known.difference_update(suspects)
            _split_page(page)
            return


def _split_page(page: Characters) -> None:
    for line in page.lines:
        for at in _gaps(page, line, line.start, line.end):
            page.chars[at] = " " + page.chars[at]


def _gaps(page: Characters, line: LineSpans, start: int, end: int) -> list[int]:
    """The letters between `start` and `end` that stand apart from what is before them."""
    size = max(span.size for span in line.spans)
    if size <= 0:
        return []
    boxes = page.boxes(start, end)
    gaps = {
        at: (b.x0 - a.x1) / size
        for at, (a, b) in enumerate(pairwise(boxes), start + 1)
        if _may_part(page.chars, at)
    }
    usual = median_low(gaps.values()) if gaps else 0.0
    return [
        at for at, gap in gaps.items() if usual + MIN_GAP < gap < MAX_GAP and not _is_math(line, at)
    ]


def _may_part(chars: Sequence[str], at: int) -> bool:
    """True where a word could begin: a letter behind a letter or a mark."""
    here, before = chars[at], chars[at - 1]
    return here[:1].isalpha() and bool(_BEFORE_A_GAP.fullmatch(before[-1:]))


def _is_math(line: LineSpans, at: int) -> bool:
    """True in math italics, where TeX's italic correction looks like a gap."""
    spans = [span for span in line.spans if span.start <= at]
    return bool(spans) and "MI" in spans[-1].font.name.upper()[:7]
