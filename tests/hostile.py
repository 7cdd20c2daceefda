"""PDFs and feeds that are made to harm whoever reads them, and some that are only odd.

Written by hand, byte by byte: no library writes what these are.
"""

import zlib

from fpdf import FPDF

NESTED_STATES = 8_000_000  # saved graphics states: more than a reading process may hold
_MIB = 1 << 20
_FEED_HEAD = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"'
    b' xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><o:totalResults>1</o:totalResults>'
)
_LAUGHS = b"<!DOCTYPE feed [<!ENTITY a0 'ha'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
)
_QUADRATIC = b"<!DOCTYPE feed [<!ENTITY a '%s'>]>" % (b"x" * 100_000)


def feed_with(content: bytes, prologue: bytes = b"") -> bytes:
    """A feed of one result that says `content`."""
    return prologue + _FEED_HEAD + content + b"</feed>"


def titled(title: bytes) -> bytes:
    """An entry with nothing but a title."""
    return b"<entry><title>%s</title></entry>" % title


def feeds() -> dict[str, bytes]:
    """Name → a feed that has to be refused, and at once. Up to 20 MB."""
    return {
        "billion laughs": feed_with(titled(b"&a11;"), _LAUGHS),
        "quadratic": feed_with(titled(b"&a;" * 100_000), _QUADRATIC),
        "utf-7": feed_with(b"", b'<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE feed+AD4-'),
        "nested": feed_with(b"<a>" * 200_000 + b"</a>" * 200_000),
        "11 MB of text": feed_with(titled(b"x" * 11_000_000)),
        "4 million tags": feed_with(b"<a/>" * 4_000_000),
    }


def external_dtd(url: str) -> bytes:
    """A feed whose document type is said to lie at `url`."""
    return feed_with(b"", f"<!DOCTYPE feed SYSTEM '{url}'>".encode())


def external_entity(url: str) -> bytes:
    """A feed with a title out of the file at `url`."""
    return feed_with(titled(b"&s;"), f"<!DOCTYPE feed [<!ENTITY s SYSTEM '{url}'>]>".encode())


def document(*objects: bytes) -> bytes:
    """A PDF of `objects`, numbered from 1; the first is the catalog."""
    body = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, written in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    start, size = len(body), len(objects) + 1
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(body)


def page(content: bytes, *, filters: bytes = b"/FlateDecode", catalog: bytes = b"") -> bytes:
    """A PDF of one page whose content is `content`, packed as `filters` say.

    The page knows Helvetica as F1. `catalog` is added to the catalog.
    """
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    return document(
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /Resources << /Font << /F1 %s >> >> >>" % font,
        b"<< /Length %d /Filter %s >>\nstream\n%s\nendstream" % (len(content), filters, content),
    )


def nested_states() -> bytes:
    """A small PDF whose page saves the graphics state millions of times."""
    return page(zlib.compress(b"q " * NESTED_STATES, 9))


def inflating(mebibytes: int) -> bytes:
    """A small PDF whose page has that much content, all of it blanks, packed twice."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = pack.compress(b" " * _MIB) + pack.flush(zlib.Z_FULL_FLUSH)
    end = b"\x03\x00"  # an empty last block; PDFium does not ask for the checksum
    inner = b"\x78\xda" + block * mebibytes + end
    return page(zlib.compress(inner, 9), filters=b"[/FlateDecode /FlateDecode]")


def repeated_page(count: int) -> bytes:
    """A PDF that shows its one page `count` times."""
    text = b"BT /F1 9 Tf (x) Tj ET"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    return document(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * count, count),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /Resources << /Font << /F1 %s >> >> >>" % font,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
    )


def active(url: str) -> bytes:
    """A PDF that wants a script run, a program launched, and `url` opened and read."""
    there = url.encode()
    return document(
        b"<< /Type /Catalog /Pages 2 0 R /OpenAction 5 0 R /AA << /WC 6 0 R >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /AA << /O 7 0 R >> >>",
        b"<< /Length 0 /F << /FS /URL /F (%s) >> >>\nstream\n\nendstream" % there,
        b"<< /S /JavaScript /JS (app.launchURL\\('%s'\\)) >>" % there,
        b"<< /S /Launch /F (/bin/touch) /Win << /F (/bin/touch) >> >>",
        b"<< /S /URI /URI (%s) >>" % there,
    )


def saying(words: str, *, owner: str | None = None, user: str | None = None) -> bytes:
    """A good PDF; with passwords of its owner and its reader, if given."""
    pdf = FPDF()
    if owner is not None:
        pdf.set_encryption(owner_password=owner, user_password=user or "")
    pdf.add_page()
    pdf.set_font("helvetica")
    pdf.cell(text=words)
    return bytes(pdf.output())
