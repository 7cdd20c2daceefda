"""Page layout: the lines of a PDF's pages with their text, boxes and fonts.

What `pdfium_page.py` reads from a page, what the repairs of the text change, and
what the document's structure is made from. Lengths are in PDF points (1/72
inch), positions in the page's user space: x to the right, y *upwards*, the
same space as destinations and link rectangles; the origin is where the page
box says. Lines stand in the order of the page's content, as PDFium gives them,
not sorted by position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Furniture(StrEnum):
    """What a line is that belongs to the page and not to the paper's text."""

    HEAD = "head"
    FOOT = "foot"
    PAGE_NUMBER = "page_number"
    STAMP = "stamp"  # arXiv's, up the left margin of the first page


@dataclass(frozen=True, slots=True)
class Font:
    """A font of one page.

    `name` is the base font's, without subset prefixes (`ABCDEF+`, and what cairo
    makes of them): `CMSY10`, `NimbusRomNo9L-Medi`; empty for Type 3 fonts. Bold
    and italic go by the name.
    """

    name: str
    is_bold: bool
    is_italic: bool


class Span(NamedTuple):
    """A stretch of a line that is one text object of the PDF, or a part of one.

    It reaches from `start` (an index into the page's text as PDFium has it) to
    the next span. `size` is the font size times the text matrix: what a reader
    sees, in points. `x0` is where the text object begins, `baseline` the y of its origin.
    """

    start: int
    font: Font
    size: float
    x0: float
    baseline: float
    is_upright: bool


class Run(NamedTuple):
    """The text of a span, with the blanks behind it, as repaired; it may be empty."""

    text: str
    font: Font
    size: float
    x0: float
    baseline: float


class Line(NamedTuple):
    """One line of a page; a tuple, for a paper has thousands and they are made several times.

    `text` has no line feed and no blanks around, and is never empty. `size`,
    `font`, `is_bold` and `baseline` are those of its longest span. Box:
    x0 < x1, y0 < y1, the font's ascent and descent included, not the ink alone.
    `is_upright` is false for text that is not written from left to right
    (arXiv's stamp, axis labels); its box is then only a hint. `cuts` are the
    texts of its spans, together `text`, or None where nothing was repaired: then their
    starts cut it, and `pieces` does so when asked. `furniture` says what the line
    is when it does not belong to the paper's text.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    size: float
    font: Font
    is_upright: bool
    spans: Sequence[Span]
    cuts: tuple[str, ...] | None
    furniture: Furniture | None = None

    @property
    def pieces(self) -> tuple[str, ...]:
        """The texts of `spans`, one each, together `text`."""
        if self.cuts is not None:
            return self.cuts
        first = self.spans[0].start
        starts = [span.start - first for span in self.spans]
        return tuple(map(self.text.__getitem__, map(slice, starts, [*starts[1:], None])))

    @property
    def is_bold(self) -> bool:
        """True when its longest span is bold."""
        return self.font.is_bold

    @property
    def runs(self) -> tuple[Run, ...]:
        """Its spans with their texts; made anew at each call."""
        return tuple(
            Run(piece, span.font, span.size, span.x0, span.baseline)
            for piece, span in zip(self.pieces, self.spans, strict=True)
        )


@dataclass(frozen=True, slots=True)
class PageLayout:
    """One page: its box (x0, y0, x1, y1) and its lines, furniture included.

    `number` counts from 1 by position. `unknown_characters` is how many no rule
    explains: they stand in the text as the PDF gave them. `text` is the reading text:
    the lines that are no furniture, joined by line feeds; repairs that reach
    over a page's end have been made in it when it comes from `text.py`.
    """

    number: int
    box: tuple[float, float, float, float]
    lines: tuple[Line, ...]
    unknown_characters: int = 0

    @property
    def width(self) -> float:
        """Of the page box, in points."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Of the page box, in points."""
        return self.box[3] - self.box[1]

    @property
    def text(self) -> str:
        """The lines that are no furniture, joined by line feeds."""
        return "\n".join(line.text for line in self.lines if line.furniture is None)
