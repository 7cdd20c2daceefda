"""Parts of a document: one section with all below it, as a document of its own."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, takewhile

from service.extraction.document import Document, Section


def with_section(document: Document, wanted: str) -> Document | None:
    """`document` reduced to the section with the number or id `wanted` and all below it.

    Its equations come along; title, abstract, captions and references, which belong to the
    paper as a whole, do not. None if there is no such section. Of two sections with one
    number the first is meant, and a number goes before an id.
    """
    sections = _with_all_below(document.sections, wanted)
    if not sections:
        return None
    ids = {section.id for section in sections}
    equations = tuple(equation for equation in document.equations if equation.section in ids)
    return replace(
        document,
        title=None,
        abstract=None,
        sections=sections,
        equations=equations,
        captions=(),
        references=(),
    )


def _with_all_below(sections: Sequence[Section], wanted: str) -> tuple[Section, ...]:
    """The section with the number or id `wanted` and those below it; () if there is none."""
    by_number = (i for i, section in enumerate(sections) if section.number == wanted)
    by_id = (i for i, section in enumerate(sections) if section.id == wanted)
    start = next(chain(by_number, by_id), None)
    if start is None:
        return ()
    level = sections[start].level
    below = takewhile(lambda section: section.level > level, sections[start + 1 :])
    return (sections[start], *below)
