"""The extent of a heading: the rows it covers, and where prose goes on in its last row."""

from dataclasses import dataclass

from service.extraction.layout import Font, Run
from service.extraction.structure.flow import Flow
from service.extraction.structure.row import Row, is_symbol_font
from service.extraction.structure.titles import key_of

MAX_HEADING_ROWS = 5
_MAX_OTHER_END = 60  # characters


@dataclass(frozen=True, slots=True)
class Block:
    """`rows[start:end]` and their text; `run_in` is where prose begins in the last row, or None."""

    start: int
    end: int
    text: str
    run_in: int | None


def block_at(flow: Flow, start: int, expected: str = "") -> Block:
    """The heading that begins with row `start`.

    `expected` is its text as letters and digits, if that is known: then rows are taken until
    it is complete. Else as long as they are set alike, close together and not as prose.
    """
    first = flow.rows[start]
    text, end = first.text, start + 1
    lead = lead_of(first)
    if lead < len(text) and not expected.startswith(first.key) and _is_run_in(flow, first, lead):
        return Block(start, end, text[:lead].rstrip(), lead)
    while end < min(start + MAX_HEADING_ROWS, len(flow.rows)):
        row = flow.rows[end]
        if row.page != first.page or not _goes_on(flow, row, first, text, expected):
            break
        text, end = _with(text, row.text), end + 1
    return Block(start, end, text.strip(), None)


def lead_of(row: Row) -> int:
    """How many characters of a row are set as its beginning is: all for a heading of its own."""
    if row.is_uniform:
        return len(row.text)
    font: Font | None = None
    size, length = 0.0, 0
    for run in row.runs:
        letters = sum(map(str.isalpha, run.text))
        if font is None:
            if letters:
                font, size = run.font, run.size
        elif letters > 1 and _is_other(run, font, size):
            rest = row.text[length:]
            return length if sum(map(str.isalpha, rest)) > 2 else len(row.text)
        length += len(run.text)
    return len(row.text)


def _is_run_in(flow: Flow, row: Row, lead: int) -> bool:
    """False for a heading with code or stress in its end: it goes on, or nothing is below it."""
    if row.index + 1 >= len(flow.rows):
        return True
    below = flow.rows[row.index + 1]
    is_close = below.gap is not None and below.gap < 1.7 * row.size
    if is_close and below.style[:4] == row.style[:4] and not is_prose_style(flow, row):
        return False
    return len(row.text) - lead > _MAX_OTHER_END or not flow.is_apart(below)


def _is_other(run: Run, font: Font, size: float) -> bool:
    if is_symbol_font(run.font.name) or is_symbol_font(font.name):
        return False
    is_same = run.font.is_bold == font.is_bold and run.font.is_italic == font.is_italic
    return not is_same or (run.font.name != font.name and abs(run.size - size) < 0.1 * size)


def _goes_on(flow: Flow, row: Row, first: Row, text: str, expected: str) -> bool:
    if row.gap is None or row.gap > 1.7 * max(row.size, first.size):
        return False
    if expected:
        so_far = key_of(text)
        return len(so_far) < len(expected) and expected.startswith(so_far)
    is_alike = row.style[:4] == first.style[:4] and lead_of(row) == len(row.text)
    return is_alike and not is_prose_style(flow, row) and not text.rstrip().endswith(".")


def is_prose_style(flow: Flow, row: Row) -> bool:
    """True when nothing in a row's type sets it off from prose."""
    return flow.is_prose(row) and not row.is_italic and not row.is_capitals


def _with(text: str, more: str) -> str:
    """Rows of one heading joined; a hyphen at the end of the first stays for a compound."""
    if text.endswith("-") and more[:1].islower():
        return text[:-1] + more
    return f"{text.rstrip()} {more.lstrip()}"
