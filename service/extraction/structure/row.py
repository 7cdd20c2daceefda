"""A row of the text flow: one printed line of one column, and how it is set."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from service.extraction.layout import Line, Run
from service.extraction.structure.numbering import split_number
from service.extraction.structure.titles import key_of

T = TypeVar("T")
_SMALL_CAPS = re.compile(r"csc|smallcap|caps|-sc\b|sc\d+$", re.IGNORECASE)
_MAX_SIZE = 1_000.0  # points
_SYMBOLS = re.compile(
    r"^(?:CM(?:SY|MI|EX|BSY|MIB)|MS[AB]M|txsy|Symbol|eu[fsr]m|rsfs|stmary|wasy)", re.I
)


class _Lazy(Generic[T]):
    """A value computed when first read, without the lock that 3.11's `cached_property` has."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: object, owner: type) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


class Style(NamedTuple):
    """How a row is set: size to half a point, font, weight, slant, (small) capitals."""

    size: float
    font: str
    is_bold: bool
    is_italic: bool
    is_capitals: bool


class Row:
    """One printed line of one column, in one or more pieces.

    `main` is the piece with the most text: size, baseline and upper edge (`top`) are its. `gap`
    is the distance down from the row above, None at the top of a page or a column. `is_uniform`
    says that all of it is in one font and size.
    """

    def __init__(self, index: int, page: int, lines: tuple[Line, ...], gap: float | None) -> None:
        self.index = index
        self.page = page
        self.lines = lines
        self.gap = gap
        is_single = len(lines) == 1
        self.is_uniform = is_single and len(lines[0].spans) == 1
        main = lines[0] if is_single else max(lines, key=lambda line: len(line.text))
        self.main = main
        self.x0 = lines[0].x0
        self.x1 = main.x1 if is_single else max(line.x1 for line in lines)
        self.baseline = main.baseline
        self.top = main.y1
        self.size = main.size
        self.is_bold = main.font.is_bold
        self.is_italic = main.font.is_italic
        self.text = main.text if is_single else "".join(run.text for run in self.runs).rstrip()

    @_Lazy
    def key(self) -> str:
        """Its text for comparison (`key_of`)."""
        return key_of(self.text)

    @_Lazy
    def unnumbered_key(self) -> str:
        """The same without the number at its beginning, if it has one."""
        numbers, title = split_number(self.text)
        return key_of(title) if numbers else self.key

    @_Lazy
    def runs(self) -> tuple[Run, ...]:
        """The runs of all its pieces in order, a blank between pieces that are apart."""
        runs = list(self.lines[0].runs)
        for left, right in pairwise(self.lines):
            if right.x0 - left.x1 > 0.12 * max(left.size, right.size) and runs:
                runs[-1] = runs[-1]._replace(text=f"{runs[-1].text.rstrip()} ")
            runs.extend(right.runs)
        return tuple(runs)

    @_Lazy
    def style(self) -> Style:
        """What headings of one level have in common: how their first letters are set."""
        lead: Run | Line = self.main
        if not self.is_uniform:
            words = (run for run in self.runs if sum(map(str.isalpha, run.text)) > 1)
            lead = next((run for run in words if not is_symbol_font(run.font.name)), lead)
        size = round(lead.size * 2) / 2 if 0 < lead.size < _MAX_SIZE else 0.0
        return Style(size, lead.font.name, lead.font.is_bold, lead.font.is_italic, self.is_capitals)

    @_Lazy
    def is_capitals(self) -> bool:
        """Whether it is set in capitals or small capitals, but for a letter in ten."""
        text = self.text
        if len(text) < 4:
            return False
        if text.isupper() or _SMALL_CAPS.search(self.main.font.name):
            return sum(map(str.isalpha, text)) >= 4
        if not text[:3].isupper() and not text[-3:].isupper():
            return False
        letters = sum(map(str.isalpha, text))
        return letters >= 4 and sum(map(str.islower, text)) * 10 <= letters


def is_symbol_font(name: str) -> bool:
    """True for fonts of mathematics, whose weight and slant say nothing about a row's."""
    return _SYMBOLS.match(name) is not None
