"""Rows that may be headings by the way they are set: short, apart, numbered or set off."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading_block import Block, block_at, is_prose_style
from service.extraction.structure.numbering import Number, split_number
from service.extraction.structure.row import Row, Style
from service.extraction.structure.titles import Role, is_known, role_of

MAX_CANDIDATES = 3_000  # of one paper; the rest is left out
_MAX_CONTENTS = 10  # lists of contents, figures, tables
_MAX_LENGTH = 240  # characters of a title
_MAX_PROSE_LENGTH = 100  # of a title that is set as prose is
_NUMBERED = re.compile(r"\s*(?:§|(?i:appendix|section)\s)?\s*(?:\d|[IVXL]+[.\s]|[A-Z][.\d\s])")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\S{0,5}$|(?:\s\.){3,}")
_ENDS_IN_PAGE = re.compile(r"(?:\s|\D)(\d{1,4}|[ivxl]{1,6})$")
_CAPTION = re.compile(
    r"(?i:fig(?:ure|s?\.)|table|tab\.|algorithm|scheme|listing)\s*(?:\d|[A-Z]\b)|"
    r"(?i:keywords?|key words|e-?mail|arxiv|doi|https?)\b"
)
_THEOREM = re.compile(
    r"(?:theorem|lemma|proposition|corollary|definition|remarks?|examples?|claim|conjecture|proof|"
    r"assumption|exercise|problem|question|case|step|fact|notation|observation|hypothesis)\b"
    r"(?P<number>[\s.]*(?:\d|[A-Z]\b|\(|$))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block that may be a heading: its readings as a number, and its title without."""

    block: Block
    row: Row
    numbers: tuple[Number, ...]
    title: str
    is_set_off: bool

    @property
    def style(self) -> Style:
        """How its first letters are set."""
        return self.row.style

    @property
    def is_alone(self) -> bool:
        """True when no prose goes on in its last row."""
        return self.block.run_in is None

    @property
    def role(self) -> Role | None:
        """What its title names, if that is no section."""
        return role_of(self.title)

    @property
    def is_known(self) -> bool:
        """True for titles that many papers have, the references' included."""
        return is_known(self.title) or self.role in (Role.REFERENCES, Role.ABSTRACT)


def candidates(flow: Flow) -> list[Candidate]:
    """In the text's order, without those of a table of contents; blocks do not overlap."""
    found: list[Candidate] = []
    skipped = contents_rows(flow)
    end = 0
    for row in flow.rows:
        if row.index < end or row.index in skipped or not _may_be(flow, row, end):
            continue
        candidate = _candidate(flow, row)
        if candidate is not None:
            found.append(candidate)
            end = candidate.block.end
            if len(found) >= MAX_CANDIDATES:
                break
    return found


def _may_be(flow: Flow, row: Row, end: int) -> bool:
    """A first look that spares most rows of prose the second."""
    is_apart = flow.is_apart(row) or row.index == end > 0
    if not is_apart or len(row.text) > _MAX_LENGTH:
        return False
    return bool(_NUMBERED.match(row.text)) or not is_prose_style(flow, row) or _is_short(row)


def _is_short(row: Row) -> bool:
    return len(row.text) < 40 and (is_known(row.text) or role_of(row.text) is not None)


def _candidate(flow: Flow, row: Row) -> Candidate | None:
    block = block_at(flow, row.index)
    numbers, title = split_number(block.text)
    if not title and numbers and len(block.text) > 5:  # "Appendix A"
        title = re.split(r"\s", block.text.strip())[0]
    letters = sum(map(str.isalpha, title))
    is_set_off = not is_prose_style(flow, row)
    longest = _MAX_LENGTH if is_set_off else _MAX_PROSE_LENGTH
    if letters < 3 or letters < 0.5 * len(title.replace(" ", "")) or len(title) > longest:
        return None
    if _is_other(block, numbers, title) or not _begins(title) or row.size < flow.size - 2.6:
        return None
    return Candidate(block, row, numbers, title.rstrip(".: ") or title, is_set_off)


def _is_other(block: Block, numbers: Sequence[Number], title: str) -> bool:
    """True for captions, and for theorems: those are numbered behind the word, or run in."""
    if _CAPTION.match(title) or _CAPTION.match(block.text):
        return True
    match = _THEOREM.match(title)
    if match is None:
        return False
    return block.run_in is not None or (not numbers and match["number"] is not None)


def _begins(title: str) -> bool:
    first = title[0]
    return (
        first.isupper()
        or first.isdigit()
        or not first.isascii()
        or first in "“\"'("
        or (first.islower() and len(title) < 60)
    )


def contents_rows(flow: Flow) -> frozenset[int]:
    """The rows of tables of contents: below that title, or ending in leaders and a page."""
    found: set[int] = set()
    tables = 0
    for row in flow.rows:
        text = row.text
        if len(text) < 30 and role_of(text) is Role.CONTENTS and tables < _MAX_CONTENTS:
            tables += 1
            found.update(_below(row, flow.rows[row.index + 1 : row.index + 400]))
        elif (". ." in text or "...." in text) and _LEADERS.search(text[-80:]):
            found.add(row.index)
    return frozenset(found)


def _below(title: Row, rows: Sequence[Row]) -> Iterator[int]:
    """As long as one of two rows ends in a page number that does not fall."""
    waiting: list[int] = []
    page = 0
    for row in rows:
        waiting.append(row.index)
        match = _ENDS_IN_PAGE.search(row.text)
        if match and (not match[1].isdigit() or page <= int(match[1]) <= page + 200):
            page = int(match[1]) if match[1].isdigit() else page
            yield from waiting
            waiting = []
        elif len(waiting) > 1 or row.style == title.style:
            return
