"""PDFs written by hand, text by text, so that a test says where each one stands.

Every font but Helvetica is 0.5 em wide in all its characters; nothing is embedded.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pypdfium2

from service.extraction.reading import read_document
from tests import hostile

LIMITS = {"max_pages": 2_000, "max_characters": 5_000_000, "reading_seconds": 60.0}
WIDTH = 0.5  # em
HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


class Put(NamedTuple):
    """A text object: `code` is a PDF string's bytes, or a whole TJ array in brackets."""

    code: bytes
    x: float = 72.0
    y: float = 700.0
    font: str = "F1"
    size: float = 10.0


def font(name: bytes, differences: bytes = b"") -> bytes:
    """A Type 1 font that is called `name` as a PDF writes it (without the slash)."""
    encoding = b"/Encoding<</Type/Encoding/Differences[%s]>>" % differences if differences else b""
    widths = b"/FirstChar 0/LastChar 255/Widths[%s]" % (b" ".join([b"500"] * 256))
    return b"<</Type/Font/Subtype/Type1/BaseFont/%s%s%s>>" % (name, widths, encoding)


def pdf(*pages: Sequence[Put], fonts: Mapping[str, bytes] | None = None) -> bytes:
    """A PDF of these pages; font F1 is Helvetica, F2 a plain one of 0.5 em."""
    known = {"F1": HELVETICA, "F2": font(b"Times-Roman"), **(fonts or {})}
    resources = b" ".join(
        b"/%s %d 0 R" % (name.encode(), at) for at, name in enumerate(known, 3 + 2 * len(pages))
    )
    kids = b" ".join(b"%d 0 R" % (3 + 2 * at) for at in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
    ]
    for at, puts in enumerate(pages):
        stream = b"\n".join(map(_shown, puts))
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<<%s>>>>>>" % (4 + 2 * at, resources),
            b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        ]
    return hostile.document(*objects, *known.values())


def _shown(put: Put) -> bytes:
    text = put.code + b" TJ" if put.code.startswith(b"[") else b"(%s) Tj" % put.code
    place = b"/%s %g Tf 1 0 0 1 %g %g Tm" % (put.font.encode(), put.size, put.x, put.y)
    return b"BT %s %s ET" % (place, text)


def lines(*texts: bytes, y: float = 700.0, **more: Any) -> list[Put]:
    """Texts below each other, 12 points apart."""
    return [Put(text, y=y - 12 * at, **more) for at, text in enumerate(texts)]


def extracted(content: bytes) -> tuple[dict[str, Any], str]:
    """Head and text as the process that reads PDFs would answer."""
    document = pypdfium2.PdfDocument(content)
    try:
        return read_document(document, LIMITS)
    finally:
        document.close()


def text_of(content: bytes) -> str:
    return extracted(content)[1]
