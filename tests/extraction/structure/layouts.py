"""Pages made by hand: lines set as papers set them, without a PDF."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from service.extraction.layout import Font, Line, PageLayout, Span

ROMAN = Font("CMR10", is_bold=False, is_italic=False)
BOLD = Font("CMBX10", is_bold=True, is_italic=False)
ITALIC = Font("CMTI10", is_bold=False, is_italic=True)
SMALL_CAPS = Font("CMCSC10", is_bold=False, is_italic=False)
MATH = Font("CMMI10", is_bold=False, is_italic=True)
WIDTH, HEIGHT, LEFT, TOP = 612.0, 792.0, 72.0, 720.0
LEADING = 12.0
PROSE = "Words of running text fill this line from the left edge to the right one of the column"


@dataclass
class Page:
    """A page under work: each `put` goes down by a gap, `column` begins another column."""

    number: int
    left: float = LEFT
    y: float = TOP
    lines: list[Line] = field(default_factory=list)

    def put(
        self,
        *pieces: str | tuple[str, Font],
        size: float = 10.0,
        gap: float = LEADING,
        indent: float = 0.0,
    ) -> "Page":
        """One line of pieces, each a text (roman) or a text with its font."""
        pairs = [(p, ROMAN) if isinstance(p, str) else p for p in pieces]
        self.y -= gap
        x = self.left + indent
        spans, start, at = [], 0, x
        for text, font in pairs:
            spans.append(Span(start, font, size, at, self.y, True))
            start, at = start + len(text), at + 0.5 * size * len(text)
        text = "".join(text for text, _ in pairs)
        main = max(pairs, key=lambda pair: len(pair[0]))[1]
        low, high = self.y - 0.25 * size, self.y + 0.75 * size
        texts = tuple(text for text, _ in pairs)
        self.lines.append(
            Line(text, x, low, at, high, self.y, size, main, True, tuple(spans), texts)
        )
        return self

    def prose(self, rows: int = 4, gap: float = LEADING) -> "Page":
        """A paragraph of `rows` full lines that ends in a full stop."""
        for row in range(rows):
            self.put(PROSE + ("." if row == rows - 1 else ""), gap=gap if row == 0 else LEADING)
        return self

    def column(self, left: float) -> "Page":
        """Go on at the top of the next column."""
        self.left, self.y = left, TOP
        return self


def made(pages: Iterable[Page]) -> list[PageLayout]:
    """The pages as layouts."""
    return [PageLayout(p.number, (0.0, 0.0, WIDTH, HEIGHT), tuple(p.lines)) for p in pages]


def paper(*headings: str, set_in: Font = BOLD, size: float = 12.0) -> list[PageLayout]:
    """Title, abstract, and below each heading a paragraph, a page for each three of them."""
    page = Page(1).put(("A Title of the Paper", BOLD), size=17)
    page.put(("Abstract", BOLD), size=12, gap=40).prose(5, gap=20)
    pages = [page]
    for number, heading in enumerate(headings):
        if number and number % 3 == 0:
            pages.append(Page(len(pages) + 1))
        pages[-1].put((heading, set_in), size=size, gap=30).prose(6, gap=20)
    return made(pages)
