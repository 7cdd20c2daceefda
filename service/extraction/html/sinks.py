"""Where the text of a page goes while it is read: paragraphs, one line, code, tables, formulas.

A sink takes text, TeX and the ends of blocks, in the order of the page; the walker
(`walk`) holds a stack of them, and each element that means something pushes one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.extraction.document import ParagraphKind
from service.extraction.html.characters import clean, one_line
from service.extraction.inline_math import between_dollars

_MAX_LIST_DEPTH = 6
_WIDE_BLANKS = str.maketrans({"\u00a0": " ", "\u2002": " ", "\u2003": "  ", "\t": "    "})
_ONLY_MARKS = re.compile(r"^(?:\[\^\w+\]\s*)+$")  # of notes that stand by themselves
_LINE_END = re.compile(r"[ \t\r]*\n[ \t\r\n\f]*")  # wide blanks behind it are indentation
_BULLET = re.compile(r"^[•·∙‣▪◦●○■□–—*+-]$")
_END_OF_PROOF = frozenset({"∎", "□", "■", "◻", "◼", r"$\square$", r"$\Box$", r"$\blacksquare$"})
_ORDINAL = re.compile(r"^(\d{1,9})[.)]$")


class Sink(Protocol):
    """What every place for text understands."""

    label: str | None
    takes_label: bool

    def text(self, text: str) -> None:
        """Running text, white space as in the source."""

    def tex(self, tex: str) -> None:
        """A formula within the text."""

    def mark(self, mark: str) -> None:
        """Text made here, such as `[^1]`: not to be escaped."""

    def end_block(self) -> None:
        """The beginning or end of a block."""

    def line_break(self) -> None:
        """A forced line end."""


class LineSink:
    """Everything on one line: titles, captions, cells, notes, items of the list of references."""

    def __init__(self, *, takes_label: bool = False) -> None:
        self.label: str | None = None
        self.takes_label = takes_label
        self._parts: list[str] = []

    def text(self, text: str) -> None:
        """Add text; a literal dollar sign is escaped, for bare ones enclose TeX."""
        self._parts.append(text.replace("$", r"\$") if "$" in text else text)

    def tex(self, tex: str) -> None:
        """Add a formula between dollar signs."""
        if tex:
            self._parts.append(f"${between_dollars(tex)}$")

    def mark(self, mark: str) -> None:
        """Add text as it is."""
        self._parts.append(mark)

    def end_block(self) -> None:
        """Part what stands on either side of a block's edge."""
        self._parts.append(" ")

    line_break = end_block

    @property
    def line(self) -> str:
        """What was added, on one line."""
        return one_line("".join(self._parts))


class FlowSink(LineSink):
    """Paragraphs: each edge of a block ends one, and hands it to `emit`.

    `head` is what goes before the next paragraph: a theorem's name, an item's mark.
    """

    def __init__(self, emit: Callable[[str, ParagraphKind], None]) -> None:
        super().__init__()
        self._emit = emit
        self.kinds: list[ParagraphKind] = ["p"]
        self.depth = 0
        self.head = ""

    def end_block(self) -> None:
        """Hand over the paragraph so far, if there is one."""
        if not self._parts:
            return
        line = self.line
        self._parts.clear()
        if line and line not in _END_OF_PROOF and not _ONLY_MARKS.match(line):
            self._hand_over(line)

    def line_break(self) -> None:
        """A blank: where lines end within a paragraph is the printer's matter."""
        self._parts.append(" ")

    def end_head(self) -> None:
        """Make a paragraph of a head that no text followed."""
        self.end_block()
        if self.head.strip(" -"):
            self._hand_over("")
        self.head = ""

    def begin_item(self, mark: str) -> None:
        """`mark` is the printed one: "•", "(i)", "3.", or "" for none."""
        ordinal = _ORDINAL.match(mark)
        if ordinal:
            shown = f"{ordinal.group(1)}."
        else:
            shown = "-" if not mark or _BULLET.match(mark) else f"- {mark}"
        self.head = "  " * (min(self.depth, _MAX_LIST_DEPTH) - 1) + shown

    def _hand_over(self, line: str) -> None:
        head, self.head = self.head, ""
        self.takes_label = False
        if not head and self.kinds[-1] == "list":
            head = "  " * min(self.depth, _MAX_LIST_DEPTH)
            self._emit(head + line, "list")
        else:
            self._emit(f"{head} {line}".rstrip() if head else line, self.kinds[-1])


class CodeSink:
    """Listings: lines stay lines, and indentation stays."""

    label: str | None = None
    takes_label = False

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw  # white space as in the source, as HTML's `pre` has it
        self._parts: list[str] = []

    def text(self, text: str) -> None:
        """Add code; line ends that only lay the page out are no line ends of the code."""
        if not self._raw and "\n" in text:
            text = _LINE_END.sub("" if self._at_line_start() else " ", text)
        if text:
            self._parts.append(clean(text.translate(_WIDE_BLANKS)))

    def tex(self, tex: str) -> None:
        """Add a formula of an algorithm."""
        if tex:
            self._parts.append(f"${between_dollars(tex)}$")

    def mark(self, mark: str) -> None:
        """Add text as it is."""
        self._parts.append(mark)

    def end_block(self) -> None:
        """Begin a line, unless one has just begun."""
        if not self._at_line_start():
            self._parts.append("\n")

    def line_break(self) -> None:
        """Begin a line."""
        self._parts.append("\n")

    @property
    def code(self) -> str:
        """The lines, without blank ones at the ends."""
        lines = [line.rstrip() for line in "".join(self._parts).split("\n")]
        return "\n".join(lines).strip("\n")

    def _at_line_start(self) -> bool:
        return not self._parts or self._parts[-1].endswith("\n")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a display: its TeX, or, between two formulas, its words."""

    tex: str
    words: str
    number: str | None
    id: str | None


class RowSink:
    """The lines of a display equation: TeX of the cells, and text between them."""

    def __init__(self) -> None:
        self.label: str | None = None
        self.takes_label = True
        self.row_id: str | None = None
        self._parts: list[tuple[bool, str]] = []  # (is TeX?, part)

    def text(self, text: str) -> None:
        """Words in a formula, or between two."""
        if text and not text.isspace():
            self._parts.append((False, text))

    def tex(self, tex: str) -> None:
        """The formula of a cell."""
        if tex:
            self._parts.append((True, tex))

    def mark(self, mark: str) -> None:
        """Notes have no place in a formula: the mark is left out, the note is kept."""

    def end_block(self) -> None:
        """Cells of a row belong together."""

    line_break = end_block

    def take_row(self) -> Row:
        """What was added since the last row."""
        parts, self._parts = self._parts, []
        label, self.label = self.label, None
        if any(is_tex for is_tex, _ in parts):
            shown = (part if is_tex else rf"\text{{{one_line(part)}}}" for is_tex, part in parts)
            return Row(" ".join(shown), "", label, self.row_id)
        return Row("", one_line(" ".join(part for _, part in parts)), None, None)
