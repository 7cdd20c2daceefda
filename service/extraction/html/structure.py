"""Handlers of headings, sections, abstract, theorems, proofs and lists."""

import re
from functools import partial

from lxml.etree import _Element

from service.extraction.document import ParagraphKind
from service.extraction.html.builder import Draft
from service.extraction.html.labels import bare_number
from service.extraction.html.roles import SECTION_CLASSES, class_tokens
from service.extraction.html.sinks import LineSink, Sink
from service.extraction.html.walk import Walk

_HEADS = frozenset({"ltx_title_theorem", "ltx_title_proof", "ltx_title_keywords"})
_HEADS |= {"ltx_title_classification"}
_NO_TEXT = frozenset({"ltx_title_abstract", "ltx_title_bibliography", "ltx_title_contents"})
_NOTE_MARK = re.compile(r"\[\^\w+\]")
_SECTION_TITLES = frozenset(f"ltx_title_{name.removeprefix('ltx_')}" for name in SECTION_CLASSES)


def block(walk: Walk, element: _Element) -> bool:
    """A block of text like those around it."""
    walk.sink.end_block()
    walk.at_end(element, walk.sink.end_block)
    return True


def title(walk: Walk, element: _Element) -> bool:
    """A heading: of the paper, of a section, or at the start of a theorem."""
    if not walk.in_flow:
        return block(walk, element)
    tokens = class_tokens(element)
    if tokens & _NO_TEXT:
        return False
    if tokens & _HEADS:
        walk.flow.end_head()
        walk.line(element, partial(_keep_head, walk))
    elif "ltx_title_document" in tokens and walk.builder.title is None:
        walk.flow.end_head()
        walk.line(element, partial(_keep_title, walk))
    elif tokens & _SECTION_TITLES and walk.builder.current.is_untitled:
        walk.line(element, partial(_keep_heading, walk.builder.current), takes_label=True)
    else:
        return block(walk, element)
    return True


def section(walk: Walk, element: _Element) -> bool:
    """A section of any level; text behind its end belongs to the section around it again."""
    if not walk.in_flow:
        return block(walk, element)
    walk.flow.end_head()
    walk.builder.end_notes()
    tokens = class_tokens(element)
    rank = next(name for name in SECTION_CLASSES if name in tokens)
    name = element.get("id") or rank.removeprefix("ltx_")
    return _place(walk, element, walk.builder.begin_section(name, rank))


def abstract(walk: Walk, element: _Element) -> bool:
    """The abstract, which is no section."""
    if not walk.in_flow:
        return block(walk, element)
    return _place(walk, element, walk.builder.abstract)


def bibliography(walk: Walk, element: _Element) -> bool:
    """The list of references, which is no section."""
    if not walk.in_flow:
        return block(walk, element)
    return _place(walk, element, walk.builder.bibliography)


def theorem(walk: Walk, element: _Element) -> bool:
    """A theorem, a definition, a remark: whatever the author numbered so."""
    return _kind(walk, element, "theorem")


def proof(walk: Walk, element: _Element) -> bool:
    """A proof."""
    return _kind(walk, element, "proof")


def list_block(walk: Walk, element: _Element) -> bool:
    """A list; its items are paragraphs."""
    if not walk.in_flow:
        return block(walk, element)
    walk.flow.end_head()
    walk.flow.depth += 1

    def end() -> None:
        walk.flow.end_head()
        walk.flow.depth -= 1

    walk.at_end(element, end)
    return True


def item(walk: Walk, element: _Element) -> bool:
    """An item of a list; a mark that is printed before it is found at its start."""
    if not walk.in_flow or walk.flow.depth == 0:
        return block(walk, element)
    is_term, is_description = element.tag == "dt", element.tag == "dd"
    walk.flow.end_block()
    if not (is_description and walk.flow.head):
        walk.flow.begin_item("")
    walk.flow.takes_label, walk.flow.label = not is_description, None
    return _kind(walk, element, "list", keeps_head=is_term)


def label(walk: Walk, element: _Element) -> bool:
    """A printed number or mark: kept apart where its place takes one, else text like any other."""
    holder = walk.sink
    if holder.takes_label and holder.label is None:
        walk.line(element, partial(_keep_label, walk, holder))
    return True


def _kind(walk: Walk, element: _Element, kind: ParagraphKind, *, keeps_head: bool = False) -> bool:
    """Paragraphs within are of a kind of their own; a term's head waits for what it describes."""
    if not walk.in_flow:
        return block(walk, element)
    if kind != "list":
        walk.flow.end_head()
    walk.flow.kinds.append(kind)

    def end() -> None:
        walk.flow.end_block() if keeps_head else walk.flow.end_head()
        walk.flow.kinds.pop()

    walk.at_end(element, end)
    return True


def _place(walk: Walk, element: _Element, place: Draft) -> bool:
    """Paragraphs within go to `place`."""
    walk.flow.end_head()
    before = walk.builder.current
    walk.builder.current = place

    def end() -> None:
        walk.flow.end_head()
        walk.builder.end_notes()
        walk.builder.current = before

    walk.at_end(element, end)
    return True


def _keep_title(walk: Walk, sink: LineSink) -> None:
    walk.builder.title = _NOTE_MARK.sub("", sink.line).strip() or None


def _keep_head(walk: Walk, sink: LineSink) -> None:
    walk.flow.head = sink.line


def _keep_heading(draft: Draft, sink: LineSink) -> None:
    is_named_by_latexml = draft.rank == "ltx_acknowledgements"  # and a full stop put behind it
    draft.title = sink.line.rstrip(" .") if is_named_by_latexml else sink.line
    draft.number = bare_number(sink.label)


def _keep_label(walk: Walk, holder: Sink, sink: LineSink) -> None:
    holder.label = sink.line
    if holder is walk.flow:
        walk.flow.takes_label = False
        walk.flow.begin_item(sink.line)
