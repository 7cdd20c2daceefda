"""Document to Markdown: CommonMark with pipe tables, footnotes and TeX between dollar signs.

No raw HTML. Figures' and tables' captions, whose place in the text a document does not
know, follow the sections as a list, and the references as another.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from urllib.parse import quote

from service.extraction.document import Caption, Document, Paragraph, Reference, Section
from service.extraction.html.tables import split_row
from service.extraction.markdown_text import block, code, inline

_NOTE = re.compile(r"^\[\^(\w{1,12})\]: ")
_LIST_MARK = re.compile(r"^( *)(?:(-|•)|(\d{1,9})[.)]) +")
_WIDE_GAP = re.compile(r" {2,}")
_MARK_OF = {"figure": "Figure", "table": "Table", "algorithm": "Algorithm", "other": ""}
_MAX_HEADING = 6
_INDENT = 4  # columns for each level of a list: room for "- " and for "99. "
_MAX_TABLE_COLUMNS = 60
_MAX_TABLE_CELLS = 50_000  # those that fill short rows up included


def to_markdown(document: Document) -> str:
    """The whole document, or what is left in it; ends with a line feed unless it is empty."""
    notes = _noted(document.sections)
    parts = [*_head(document)]
    for section in document.sections:
        parts += _section(section, document, notes)
    parts += _captions(document)
    parts += _references(document)
    return "\n\n".join(part for part in parts if part) + "\n" if parts else ""


def _head(document: Document) -> Iterator[str]:
    if document.title:
        yield f"# {_heading_text(document.title, document)}"
    if document.abstract:
        yield "## Abstract"
        for paragraph in document.abstract.split("\n\n"):
            yield block(paragraph, document.source)


def _section(section: Section, document: Document, notes: Collection[str]) -> Iterator[str]:
    if section.title or section.number:
        marks = "#" * min(section.level + 1, _MAX_HEADING)
        title = _heading_text(f"{section.number or ''} {section.title}", document, notes)
        yield f"{marks} {title}"
    for is_list, group in groupby(section.paragraphs, lambda p: p.kind == "list"):
        if is_list:
            yield _list([paragraph.text for paragraph in group], document, notes)
        else:
            yield from (_paragraph(paragraph, document, notes) for paragraph in group)


def _heading_text(title: str, document: Document, notes: Collection[str] = ()) -> str:
    """A heading's text; a number sign at its end would be taken for a closing one."""
    text = inline(title, document.source, notes)
    return re.sub(r"(#+)$", lambda m: "\\#" * len(m.group()), text)


def _paragraph(paragraph: Paragraph, document: Document, notes: Collection[str]) -> str:
    text = paragraph.text
    if paragraph.kind == "code":
        return code(text)
    if paragraph.kind == "table":
        return _table(text, document, notes)
    note = _NOTE.match(text) if paragraph.kind == "footnote" else None
    if note is None:
        return block(text, document.source, notes)
    shown = block(text[note.end() :], document.source, notes)
    return f"{note.group().strip()} {shown}" if note.group(1) in notes else shown


def _list(texts: Sequence[str], document: Document, notes: Collection[str]) -> str:
    """Items that follow each other; one is at most a level deeper than the one before.

    Blanks before its mark say how deep an item stands, one without a mark goes on.
    """
    lines: list[str] = []
    last = -1
    for text in texts:
        mark = _LIST_MARK.match(text)
        depth = min((len(text) - len(text.lstrip(" "))) // 2, last + 1)
        if mark is None and depth > 0:
            lines += ["", f"{' ' * _INDENT * (depth - 1)}  {block(text, document.source, notes)}"]
            continue
        sign = f"{mark.group(3)}." if mark is not None and mark.group(3) else "-"
        rest = text[mark.end() :] if mark is not None else text
        lines.append(f"{' ' * _INDENT * depth}{sign} {block(rest, document.source, notes)}")
        last = depth
    return "\n".join(lines)


def _table(text: str, document: Document, notes: Collection[str]) -> str:
    """Pipes where they fit, from two columns on; else each row is a line."""
    lines = text.split("\n")
    rows = [_cells(line, document) for line in lines]
    widths = set(map(len, rows))
    width = max(widths)
    is_regular = document.source == "html" or len(widths) == 1
    fits = 2 <= width <= _MAX_TABLE_COLUMNS and width * len(rows) <= _MAX_TABLE_CELLS
    if not (is_regular and fits):
        shown = (block(_plain_cell(line), document.source, notes) for line in lines)
        return "\\\n".join(filter(None, shown))
    first, *rest = ([*row, *[""] * (width - len(row))] for row in rows)
    head = [_row(first, document, notes), f"|{' --- |' * width}"]
    return "\n".join([*head, *(_row(row, document, notes) for row in rest)])


def _cells(line: str, document: Document) -> list[str]:
    """The cells of a row: parted by bars in documents made from HTML, by wide gaps in others."""
    return split_row(line) if document.source == "html" else _WIDE_GAP.split(line.strip())


def _plain_cell(text: str) -> str:
    return text.replace(r"\|", "|")


def _row(cells: Sequence[str], document: Document, notes: Collection[str]) -> str:
    shown = (
        inline(_plain_cell(cell), document.source, notes).replace("|", r"\|") for cell in cells
    )
    return f"| {' | '.join(shown)} |"


def _captions(document: Document) -> Iterator[str]:
    if document.captions:
        yield "## Figures and tables"
        yield "\n".join(_caption(caption, document) for caption in document.captions)


def _caption(caption: Caption, document: Document) -> str:
    label = f"{_MARK_OF[caption.kind]} {caption.number or ''}".strip()
    notes = _noted(document.sections)
    shown = block(caption.text, document.source, notes)
    return f"- **{inline(label, document.source)}.** {shown}" if label else f"- {shown}"


def _references(document: Document) -> Iterator[str]:
    if document.references:
        yield "## References"
        yield "\n".join(_reference(reference, document) for reference in document.references)


def _reference(reference: Reference, document: Document) -> str:
    key = f"[{reference.key}] " if reference.key else ""
    links = [
        _link(f"doi:{reference.doi}", f"https://doi.org/{reference.doi}") if reference.doi else "",
        _link(f"arXiv:{reference.arxiv_id}", f"https://arxiv.org/abs/{reference.arxiv_id}")
        if reference.arxiv_id
        else "",
    ]
    shown = " ".join([block(key + reference.raw, document.source), *filter(None, links)])
    return f"- {shown}"


def _link(text: str, url: str) -> str:
    return f"[{inline(text, 'pdf')}]({quote(url, safe=':/.-_;')})"


def _noted(sections: Sequence[Section]) -> frozenset[str]:
    """Labels of footnotes whose text and whose mark are both there."""
    texts = [p for section in sections for p in section.paragraphs]
    notes = {m.group(1) for p in texts if p.kind == "footnote" and (m := _NOTE.match(p.text))}
    marks = {
        label
        for text in (*(p.text for p in texts), *(section.title for section in sections))
        for label in re.findall(r"\[\^(\w{1,12})\](?!: )", text)
    }
    return frozenset(notes & marks)
