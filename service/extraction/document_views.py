"""Parts of a document: one section with all below it, as a document of its own."""

from dataclasses import replace

from service.extraction.document import Document


def with_section(document: Document, wanted: str) -> Document | None:
    """`document` reduced to the section with the number or id `wanted` and all below it.

    Its equations come along; title, abstract, captions and references, which belong to the
    paper as a whole, do not. None if there is no such section. Of two sections with one
    number the first is meant.
    """
    sections = document.part(wanted)
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
