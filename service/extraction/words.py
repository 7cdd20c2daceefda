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

from service.extraction.lexicon import common_words, english_words
from service.extraction.pdfium_page import Characters, LineSpans

MIN_GAP = 0.055  # of the size, above the usual gap; kerning stays below 0.04
MAX_GAP = 1.0  # of the size; more is no gap between words
_MIN_LETTERS = 5  # shorter words are too many to measure, and seldom glued
_MIN_SPACED = 3  # gaps of a word that tell whether it is letter-spaced
_SUSPECTS = re.compile(rf"[^\W\d_]{{{_MIN_LETTERS},}}")
_TOKENS = re.compile(r"[^\W\d_](?:[^\W\d_]|[,.;:)\]”’](?=[^\W\d_]))+")
_LETTERS = re.compile(r"[^\W\d_]+")


def split_glued(page: Characters, known: set[str]) -> None:
    """Put blanks into words that were glued; `known` holds the words found whole before."""
    words = english_words()
    for line in page.lines:
        suspects = {
            found[0]: found.span()
            for found in _SUSPECTS.finditer(page.text, line.start, line.end)
            if found[0] not in known and found[0].lower() not in words
        }
        known.update(suspects)
        if suspects and any(_parting(page, line, *place) for place in suspects.values()):
            known.difference_update(suspects)
            _split_page(page)
            return


def _split_page(page: Characters) -> None:
    for line in page.lines:
        for found in _TOKENS.finditer(page.text, line.start, line.end):
            if found[0].lower() not in common_words():
                for at in _parting(page, line, *found.span()):
                    page.chars[at] = " " + page.chars[at]


def _parting(page: Characters, line: LineSpans, start: int, end: int) -> list[int]:
    """The letters between `start` and `end` where words begin that were glued.

    They stand apart from what is before them, and most of the parts are words.
    """
    size = max(span.size for span in line.spans)
    if size <= 0:
        return []
    gaps = [(b.x0 - a.x1) / size for a, b in pairwise(page.boxes(start, end))]
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
    known = sum(bool(part) and part[0].lower() in common_words() for part in letters if part)
    return 2 * known >= len(parts)


def _is_math(line: LineSpans, at: int) -> bool:
    """True in math italics, where TeX's italic correction looks like a gap."""
    spans = [span for span in line.spans if span.start <= at]
    return bool(spans) and "MI" in spans[-1].font.name.upper()[:7]
