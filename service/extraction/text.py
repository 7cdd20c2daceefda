"""The true text of a PDF: its pages read, repaired and put together.

Page by page, while PDFium has it open: symbols, lines, accents, superscripts,
glued words. Then over the whole document: ligatures, furniture, words
broken at line ends. What comes out is the layout of each page, from which the reading
text and the document's structure are made.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from operator import sub
from unicodedata import is_normalized, normalize

import pypdfium2

from service.extraction.accents import compose_accents
from service.extraction.broken_words import SOFT_HYPHEN, mend_words
from service.extraction.layout import Line, PageLayout, Span
from service.extraction.ligatures import resolve_ligatures
from service.extraction.page_furniture import mark_furniture
from service.extraction.pdfium_page import Characters, LineSpans, read_characters
from service.extraction.superscripts import join_lines, mark_superscripts
from service.extraction.tex_symbols import repair_symbols
from service.extraction.words import split_glued

_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\uffff\ue000-\uf8ff\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")

_new_line = partial(tuple.__new__, Line)  # what Line._make does, in C


def read_page(page: pypdfium2.PdfPage, number: int, known_words: set[str]) -> PageLayout:
    """The page's layout, repaired as far as one page can be.

    `known_words` holds what earlier pages of the document showed to be words; it grows.
    Raises PdfiumError or AssertionError when PDFium cannot read the page.
    """
    characters = read_characters(page.get_textpage())
    repair_symbols(characters)
    join_lines(characters)
    compose_accents(characters)
    split_glued(characters, known_words)
    mark_superscripts(characters)
    characters.chars.changed.sort()
    lines = [line for spans in characters.lines if (line := _line(characters, spans))]
    box = tuple(page.get_bbox())
    return PageLayout(number, (box[0], box[1], box[2], box[3]), tuple(lines), characters.unknown)


def finish_pages(pages: Sequence[PageLayout]) -> list[PageLayout]:
    """The pages of a document, in order, repaired as far as that needs all of them."""
    return mend_words(mark_furniture(resolve_ligatures(pages)))


def _line(page: Characters, line: LineSpans) -> Line | None:
    """The line with the text as repaired; None when nothing is left of it."""
    start, end, box, spans = line
    main = spans[0]
    changed = page.chars.changed
    at = bisect_left(changed, start)
    is_as_read = at == len(changed) or changed[at] >= end
    pieces: tuple[str, ...] | None = None
    if is_as_read:
        text = page.text[start:end]
        if len(spans) > 1:
            starts = [span[0] for span in spans]
            lengths = list(map(sub, [*starts[1:], end], starts))
            main = spans[lengths.index(max(lengths))]
    else:
        text = "".join(page.chars[start:end])
        pieces = (text,)
        if len(spans) > 1:
            starts = [span[0] for span in spans]
            stretches = map(slice, starts, [*starts[1:], end])
            pieces = tuple(map("".join, map(page.chars.__getitem__, stretches)))
            lengths = list(map(len, pieces))
            main = spans[lengths.index(max(lengths))]
    is_printable = text.isprintable()
    if not is_printable or "\ufffd" in text:
        page.unknown += len(_STRANGE.findall(text))
    is_plain = text.isascii() or is_normalized("NFC", text)
    if not (is_printable and is_plain and text == text.strip()):
        pieces = pieces or tuple(page.text[a:b] for a, b in _stretches(spans, end))
        pieces = _trimmed(list(map(_clean, pieces)))
        text = "".join(pieces)
    if not text:
        return None
    _, font, size, _, baseline, is_upright = main
    return _new_line((text, *box, baseline, size, font, is_upright, spans, pieces, None))


def _stretches(spans: Sequence[Span], end: int) -> list[tuple[int, int]]:
    return list(pairwise([*(span.start for span in spans), end]))


def _clean(text: str) -> str:
    """NFC, without soft hyphens but at the end, without what cannot be printed."""
    if SOFT_HYPHEN in text:
        text = text[:-1].replace(SOFT_HYPHEN, "") + text[-1]
    return normalize("NFC", _UNPRINTABLE.sub("", text))


def _trimmed(pieces: list[str]) -> tuple[str, ...]:
    """The pieces without blanks at both ends of their text."""
    for at, piece in enumerate(pieces):
        pieces[at] = piece.lstrip()
        if pieces[at]:
            break
    for at in reversed(range(len(pieces))):
        pieces[at] = pieces[at].rstrip()
        if pieces[at]:
            break
    return tuple(pieces)
