"""Paragraphs of a section: rows joined to blocks of prose, lists, code, equations and notes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from service.extraction.document import Paragraph, ParagraphKind
from service.extraction.structure.flow import Flow
from service.extraction.structure.row import Row, is_symbol_font

MAX_CHARACTERS = 50_000  # of one paragraph; what is longer is split
_ITEM = re.compile(r"\s*(?:[•◦▪■●‣·–∗*]\s|\(?(?:[ivx]{1,4}|[a-h]|\d{1,2})[.)]\s)")
_THEOREM = re.compile(
    r"\s*(?:Theorem|Lemma|Proposition|Corollary|Definition|Remark|Example|Conjecture|Claim|"
    r"Assumption|Fact|Observation|Hypothesis|Notation)\s*(?:[\d.]+|[A-Z]\b|\(|\.)",
    re.IGNORECASE,
)
_PROOF = re.compile(r"\s*(?:proof|sketch of proof|proof sketch)\b[^a-z]{0,3}", re.IGNORECASE)
_NOTE = re.compile(r"\s*\^?\{?(?:\d{1,3}|[∗*†‡§¶]+)\}?\s?[A-Z\"“(h]")
_MONO = re.compile(r"mono|courier|cmtt|sftt|typewriter|lmtt|consol|inconsolata|txtt|beramono", re.I)
_LONG_WORD = re.compile(r"[A-Za-z]{3,}")
_BULLETS = frozenset("•◦▪■●‣")
_BEFORE_ITEM = (".", ":", ";", ",", "?", "!", ")", "and", "or")  # a row of prose before a list
_ENDS = (".", "?", "!", ":", ".”", ".)", '."')


@dataclass
class _Block:
    kind: ParagraphKind
    rows: list[Row] = field(default_factory=list)
    skip: int = 0  # characters of the first row that belong to a heading


def paragraphs_of(flow: Flow, rows: Sequence[Row], *, skip: int = 0) -> tuple[Paragraph, ...]:
    """The paragraphs of `rows`, in order; of the first row only what is behind `skip` characters.

    Notes and tables stand where they are found; prose that goes on behind them, or in the next
    column or page, is one paragraph.
    """
    return tuple(
        paragraph for block in _blocks(flow, rows, skip) for paragraph in _paragraphs(block)
    )


def _blocks(flow: Flow, rows: Sequence[Row], skip: int) -> list[_Block]:
    blocks: list[_Block] = []
    prose: _Block | None = None  # the last one that may go on
    for at, row in enumerate(rows):
        last = blocks[-1] if blocks else None
        kind = _kind(flow, rows, at, last)
        if kind == "p" and prose is not None and _continues(flow, prose, row):
            prose.rows.append(row)
        elif kind != "p" and last is not None and last.kind == kind and _is_near(last, row):
            last.rows.append(row)
        else:
            blocks.append(
                _Block(_opening(row) if kind == "p" else kind, [row], skip if at == 0 else 0)
            )
            if kind == "p":
                prose = blocks[-1]
    return blocks


def _kind(flow: Flow, rows: Sequence[Row], at: int, last: _Block | None) -> ParagraphKind:
    row = rows[at]
    if _MONO.search(row.main.font.name):
        return "code"
    if row.size < flow.size - 0.7 and (_NOTE.match(row.text) or _is_note(row, last)):
        return "footnote"
    if _is_cell(rows, at):
        return "table"
    if _is_formula(flow, row):
        return "equation"
    return "p"


def _is_note(row: Row, last: _Block | None) -> bool:
    """Whether a small row goes on with a note above it."""
    if last is None or last.kind != "footnote" or row.index != last.rows[-1].index + 1:
        return False
    return row.gap is not None and row.gap < 1.5 * row.size


def _is_cell(rows: Sequence[Row], at: int) -> bool:
    """Whether it stands beside its neighbour on one line: a table's or a figure's row."""
    row = rows[at]
    near = 0.3 * row.size
    for other in rows[max(at - 1, 0) : at + 2]:
        is_level = -near < other.baseline - row.baseline < near
        if is_level and other.page == row.page and (other.x0 > row.x1 or other.x1 < row.x0):
            return True
    return False


def _is_formula(flow: Flow, row: Row) -> bool:
    """A row of a display: few words, and mostly in fonts of mathematics or other sizes."""
    if row.is_uniform and not row.is_italic and -1 < row.size - flow.size < 1:
        return is_symbol_font(row.main.font.name)
    if len(row.text) > 160 or len(_LONG_WORD.findall(row.text)) > 3:
        return False
    letters = symbols = 0
    for line in row.lines:
        for span, piece in zip(line.spans, line.pieces, strict=True):
            letters += len(piece)
            is_variable = span.font.is_italic and len(piece) < 4
            is_other = is_variable or abs(span.size - flow.size) > 1
            symbols += len(piece) * (is_other or is_symbol_font(span.font.name))
    return symbols > 0.3 * letters


def _continues(flow: Flow, block: _Block, row: Row) -> bool:
    """Whether prose goes on: close below, or from the end of a column or of a page."""
    last = block.rows[-1]
    text = last.text.rstrip()
    if abs(row.size - last.size) > 0.7:
        return False
    is_sure = row.text.lstrip()[:1] in _BULLETS or flow.is_apart(row) or text.endswith(_BEFORE_ITEM)
    if is_sure and _opens(row):
        return False
    if row.gap is None or row.index != last.index + 1:
        return not text.endswith(_ENDS) or row.text[:1].islower()
    if flow.is_apart(row) and row.gap > 1.35 * max(flow.leading, row.size):
        return not text.endswith(_ENDS) and row.text[:1].islower()
    indent = row.x0 - last.x0
    if block.kind == "list" and indent > -1:
        return True
    is_indented = 0.8 * row.size < indent < 4.5 * row.size
    return not (is_indented and text.endswith(_ENDS))


def _opens(row: Row) -> bool:
    return _opening(row) != "p"


def _opening(row: Row) -> ParagraphKind:
    if _ITEM.match(row.text):
        return "list"
    is_theorem = _THEOREM.match(row.text) is not None
    if not is_theorem and not _PROOF.match(row.text):
        return "p"
    style = row.style
    is_set_off = style.is_bold or style.is_italic or style.is_capitals
    if not is_set_off and style.font == row.main.font.name:
        return "p"
    return "theorem" if is_theorem else "proof"


def _is_near(block: _Block, row: Row) -> bool:
    last = block.rows[-1]
    if last.page != row.page or row.index != last.index + 1:
        return False
    if block.kind == "footnote":
        return not _NOTE.match(row.text)
    return row.gap is None or row.gap < 3 * row.size


def _paragraphs(block: _Block) -> Iterator[Paragraph]:
    text = _table(block.rows) if block.kind == "table" else _joined(block)
    page = block.rows[0].page
    for start in range(0, len(text), MAX_CHARACTERS):
        yield Paragraph(text[start : start + MAX_CHARACTERS], page, block.kind)


def _joined(block: _Block) -> str:
    if block.kind in ("code", "equation"):
        return "\n".join(row.text for row in block.rows)
    pieces: list[str] = []
    for at, row in enumerate(block.rows):
        text = " ".join((row.text[block.skip :] if at == 0 else row.text).split())
        is_compound = bool(pieces) and pieces[-1][-1:] == "-" and pieces[-1][-2:-1].isalnum()
        pieces.append(text if not pieces or is_compound else f" {text}")
    return "".join(pieces).strip()


def _table(rows: Sequence[Row]) -> str:
    """One printed line a line, cells apart by two blanks."""
    text = ""
    last: Row | None = None
    for row in rows:
        if last is not None:
            is_level = abs(last.baseline - row.baseline) < 0.3 * row.size
            text += "  " if is_level else "\n"
        text += row.text
        last = row
    return text
