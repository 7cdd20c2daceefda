"""A page's characters one by one, as PDFium's plain calls tell: slow, and apart from the product.

The judge does not use what it judges.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pypdfium2
from pypdfium2 import raw


class Glyph(NamedTuple):
    """A character; its place is its origin's, its size that on the page."""

    character: str
    font: str
    size: float
    x: float
    y: float
    right: float
    is_upright: bool


def pages_of(path: Path) -> Iterator[list[Glyph]]:
    """The glyphs of each page, without what PDFium added."""
    document = pypdfium2.PdfDocument(path)
    for page in document:
        text_page = page.get_textpage()
        yield list(_glyphs(text_page.raw))
        page.close()
    document.close()


def _glyphs(page: raw.FPDF_TEXTPAGE) -> Iterator[Glyph]:
    x, y = ctypes.c_double(), ctypes.c_double()
    box, matrix = raw.FS_RECTF(), raw.FS_MATRIX()
    room = ctypes.create_string_buffer(256)
    for at in range(raw.FPDFText_CountChars(page)):
        if raw.FPDFText_IsGenerated(page, at) == 1:
            continue
        code = raw.FPDFText_GetUnicode(page, at)
        raw.FPDFText_GetCharOrigin(page, at, x, y)
        raw.FPDFText_GetLooseCharBox(page, at, box)
        raw.FPDFText_GetMatrix(page, at, matrix)
        text_object = raw.FPDFText_GetTextObject(page, at)
        room.value = b""
        if text_object:
            raw.FPDFFont_GetBaseFontName(raw.FPDFTextObj_GetFont(text_object), room, 256)
        size = raw.FPDFText_GetFontSize(page, at) * (abs(matrix.c) + abs(matrix.d))
        font = room.value.decode("latin-1")
        is_upright = matrix.b == 0 and matrix.a > 0
        character = chr(code) if code < 0x110000 else "\ufffd"
        yield Glyph(character, font, size, x.value, y.value, box.right, is_upright)
