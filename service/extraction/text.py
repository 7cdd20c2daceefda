"""The true text of a PDF: its pages read, repaired and put together.

Page by page, while PDFium has it open: symbols, lines, accents, superscripts,
glued words. Then over the whole document: ligatures, furniture, words
broken at line ends. What comes out is the layout of each page, from which the reading
text and the document's structure are made.
"""

import re
from collections.abc import Sequence
from unicodedata import is_normalized, normalize

import pypdfium2

from service.extraction.accents import compose_accents
from service.extraction.broken_words import SOFT_HYPHEN, mend_words
from service.extraction.layout import Line, PageLayout
from service.extraction.ligatures import resolve_ligatures
from service.extraction.page_furniture import mark_furniture
from service.extraction.pdfium_page import Characters, LineSpans, read_characters
from service.extraction.superscripts import join_lines, mark_superscripts
from service.extraction.tex_symbols import repair_symbols
from service.extraction.words import split_glued

_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\uffff\ue000-\uf8ff\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


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
    lines = [line for spans in characters.lines if (line := _line(characters, spans))]
    box = tuple(page.get_bbox())
    return PageLayout(number, (box[0], box[1], box[2], box[3]), tuple(lines), characters.unknown)


def finish_pages(pages: Sequence[PageLayout]) -> list[PageLayout]:
    """The pages of a document, in order, repaired as far as that needs all of them."""
    return mend_words(mark_furniture(resolve_ligatures(pages)))


def _line(page: Characters, line: LineSpans) -> Line | None:
    """The line with the text as repaired; None when nothing is left of it."""
    spans = line.spans
    main = spans[0]
    text = "".join(page.chars[line.start : line.end])
    pieces: tuple[str, ...] = (text,)
    if len(spans) > 1:
        starts = [span.start for span in spans]
        stretches = map(slice, starts, [*starts[1:], line.end])
        pieces = tuple(map("".join, map(page.chars.__getitem__, stretches)))
        lengths = list(map(len, pieces))
        main = spans[lengths.index(max(lengths))]
    if not text.isprintable() or "\ufffd" in text:
        page.unknown += len(_STRANGE.findall(text))
    is_plain = text.isascii() or is_normalized("NFC", text)
    if not (text.isprintable() and is_plain and text == text.strip()):
        pieces = _trimmed(list(map(_clean, pieces)))
        text = "".join(pieces)
    if not text:
        return None
    return Line(
        text,
        *line.box,
        main.baseline,
        main.size,
        main.font,
        main.is_upright,
        spans,
        pieces,
    )


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
