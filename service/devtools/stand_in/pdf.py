"""PDFs that look like papers, quickly: made by fpdf2 once per length, then filled in.

fpdf2 lays out one skeleton for each number of pages, in which every line of text
is a placeholder of fixed width and nothing is compressed. A paper's PDF is its
skeleton with the placeholders replaced, byte for byte of the same length, so
that the file stays valid and costs microseconds instead of tens of milliseconds.
The same (seed, id, version) always gives the same bytes: moments and the file's
identifier are filled in from the paper too.
"""

import hashlib
import re
import textwrap
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import chain

from fpdf import FPDF

from service.devtools.stand_in import vocabulary
from service.devtools.stand_in.corpus import MAX_PAGES, slots
from service.devtools.stand_in.wheels import mix
from service.domain.papers import Paper

LINES = 54  # per page
_WIDTH = 100  # bytes of a line's placeholder
_WRAP = 84  # characters written into it: room for the backslashes before ( ) \
_MARK = re.compile(rb"@[A-Z]\d{4}~*|D:19910814000000Z|<F{32}><F{32}>")
_MOMENT = datetime(1991, 8, 14, tzinfo=UTC)  # the day arXiv began; a placeholder only
_FILLER_LINES = 1_009
_KEPT = 128  # finished PDFs; about 25 kB each


class _Skeleton(FPDF):
    """A document whose identifier is a placeholder."""

    def file_id(self) -> str:
        return f"<{'F' * 32}><{'F' * 32}>"


def _placeholder(kind: str, number: int) -> str:
    return f"@{kind}{number:04d}".ljust(_WIDTH, "~")


@cache
def _skeleton(pages: int) -> tuple[bytes, ...]:
    """The pieces of the document with `pages` pages, between its placeholders."""
    document = _Skeleton(format="A4")
    document.set_compression(False)
    document.set_creation_date(_MOMENT)
    document.set_producer("fpdf2")
    document.set_title(_placeholder("T", 0))
    document.set_author(_placeholder("A", 0))
    for page in range(pages):
        document.add_page()
        for line in range(LINES):
            style = "B" if page == 0 and line < 2 else ""
            document.set_font("helvetica", style=style, size=14 if style else 10)
            document.text(20, 20 + line * 4.8, _placeholder("L", page * LINES + line))
    return tuple(_MARK.split(bytes(document.output())))


def running_text(paper: Paper, pages: int, seed: int) -> list[str]:
    """The lines of the running text of this version, which follow its abstract."""
    filler = _filler(seed)
    offset = mix(seed, paper.arxiv_id)
    count = pages * LINES - len(_head(paper))
    return [filler[(offset + line) % len(filler)] for line in range(count)]


@lru_cache(maxsize=4)
def _fields(seed: int) -> dict[str, bytes]:
    """The lines of running text, ready to be put in: most of a document is made of them."""
    return {line: _field(line) for line in _filler(seed)}


@lru_cache(maxsize=4)
def _filler(seed: int) -> tuple[str, ...]:
    """The lines that running texts are made of."""
    wheels = slots(seed)
    sentences = (
        vocabulary.FILLER[mix(seed, "filler", number) % len(vocabulary.FILLER)].format_map(
            {name: wheel.at(number) for name, wheel in wheels.items()}
        )
        for number in range(_FILLER_LINES)
    )
    return tuple(textwrap.wrap(" ".join(sentences), _WRAP)[:_FILLER_LINES])


@lru_cache(maxsize=_KEPT)
def render(paper: Paper, pages: int, seed: int, generation: int = 0) -> bytes:
    """The PDF of `paper` with `pages` (1–8) pages: title, authors, abstract, running text.

    Another `generation` has the same text, a later date of creation and other bytes.
    Characters beyond Latin-1 become question marks, as the built-in fonts have no others.
    """
    if not 1 <= pages <= MAX_PAGES:
        raise ValueError(f"a PDF has 1 to {MAX_PAGES} pages")
    fields = _lines(paper, pages, seed)
    made_at = paper.updated_at + timedelta(days=generation)
    moment = f"D:{made_at:%Y%m%d%H%M%S}Z".encode()
    digest = hashlib.blake2b(b"".join([*fields, moment]), digest_size=16).hexdigest().upper()
    identifier = f"<{digest}><{digest}>".encode()
    # in the order in which fpdf2 writes them: pages, then /Author /CreationDate /Title, then /ID
    filled = [*fields, _field(", ".join(paper.authors)), moment, _field(paper.title), identifier]
    pieces = _skeleton(pages)
    joined = chain.from_iterable(zip(pieces, filled, strict=False))
    return b"".join([*joined, pieces[-1]])


def _lines(paper: Paper, pages: int, seed: int) -> list[bytes]:
    """What stands on the lines of all pages, in order."""
    ready = _fields(seed)
    running = running_text(paper, pages, seed)
    return [*map(_field, _head(paper)), *(ready[line] for line in running)]


def _head(paper: Paper) -> list[str]:
    """The lines above the running text."""
    title = textwrap.wrap(paper.title, 58)[:2]
    return [
        *title,
        *[""] * (3 - len(title)),
        *textwrap.wrap(", ".join(paper.authors), _WRAP)[:6],
        "",
        f"arXiv:{paper.arxiv_id} [{paper.primary_category}] {paper.updated_at:%d %b %Y}",
        "",
        "Abstract",
        *textwrap.wrap(paper.abstract, _WRAP)[:30],
        "",
        "1 Introduction",
    ]


def _field(line: str) -> bytes:
    """A line as the inside of a PDF string, padded with blanks to the placeholder's width."""
    text = line.encode("latin-1", "replace")[:_WRAP]
    escaped = re.sub(rb"([()\\])", rb"\\\1", text)
    if len(escaped) > _WIDTH:  # more of ( ) \ than there is room for
        escaped = re.sub(rb"[()\\]", b" ", text)
    return escaped.ljust(_WIDTH)
