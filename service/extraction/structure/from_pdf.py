"""Document of a PDF: sections, captions and references from its pages and its navigation."""

from collections.abc import Sequence
from typing import Any

from service.extraction.converters import PDF_CONVERTER
from service.extraction.document import Document, Section
from service.extraction.layout import PageLayout
from service.extraction.structure.captions import PlacedCaption, captions_of, unique
from service.extraction.structure.flow import Flow, flow_of
from service.extraction.structure.front_matter import FrontMatter, front_matter_of, is_title
from service.extraction.structure.heading import Heading
from service.extraction.structure.heading_candidates import contents_rows
from service.extraction.structure.headings import headings_of
from service.extraction.structure.navigation import Navigation
from service.extraction.structure.paragraphs import paragraphs_of
from service.extraction.structure.references import References, references_of


def document_of(pages: Sequence[PageLayout], navigation: Navigation) -> Document:
    """The structure of a paper; never fails, what is not found is None or empty."""
    flow = flow_of(pages)
    found = headings_of(flow, navigation)
    captions = captions_of(flow, {i for h in found.found for i in range(h.start, h.end)})
    captioned = {i for placed in captions for i in range(placed.start, placed.end)}
    references = references_of(flow, found.found, navigation, captioned)
    front = front_matter_of(flow, found.found)
    headings = [h for h in found.found if h.role is None and not is_title(h, front.title)]
    used = _used(found.found, references, front)
    used.update(captioned)
    used.update(contents_rows(flow))
    sections = _sections(flow, headings, used, front)
    return Document(
        source="pdf",
        converter=PDF_CONVERTER,
        title=front.title,
        abstract=front.abstract,
        sections=sections,
        captions=tuple(unique(captions)),
        references=references.items,
        quality=_quality(found.source, sections, captions, references),
    )


def _used(headings: Sequence[Heading], references: References, front: FrontMatter) -> set[int]:
    """The rows that are no text of a section; a row that a heading runs into stays."""
    used: set[int] = set()
    for heading in headings:
        last = heading.end - (heading.run_in is not None and heading.role is None)
        used.update(range(heading.start, last))
    for rows in (*references.rows, front.abstract_rows):
        used.update(rows)
    used.update(range(front.end))
    return used


def _sections(
    flow: Flow, headings: Sequence[Heading], used: set[int], front: FrontMatter
) -> tuple[Section, ...]:
    """In reading order; what stands before the first heading is a section without a title."""
    first = headings[0].start if headings else len(flow.rows)
    sections = []
    opening = [row for row in flow.rows[front.end : first] if row.index not in used]
    if sum(len(row.text) for row in opening) > 200 or (opening and not headings):
        paragraphs = paragraphs_of(flow, opening)
        sections.append(Section("s0", 1, None, "", opening[0].page, paragraphs))
    stops = [heading.start for heading in headings[1:]] + [len(flow.rows)]
    for number, (heading, stop) in enumerate(zip(headings, stops, strict=False), 1):
        sections.append(_section(flow, heading, stop, used, f"s{number}"))
    return tuple(sections)


def _section(flow: Flow, heading: Heading, stop: int, used: set[int], name: str) -> Section:
    start, skip = heading.end, 0
    if heading.run_in is not None:
        start, skip = heading.end - 1, heading.run_in
    rows = [row for row in flow.rows[start:stop] if row.index not in used]
    paragraphs = paragraphs_of(flow, rows, skip=skip if rows and rows[0].index == start else 0)
    return Section(name, heading.level, heading.number, heading.title, heading.page, paragraphs)


def _quality(
    source: str,
    sections: Sequence[Section],
    captions: Sequence[PlacedCaption],
    references: References,
) -> dict[str, Any]:
    return {
        "headings": sum(bool(section.title) for section in sections),
        "headings_from": source,
        "paragraphs": sum(len(section.paragraphs) for section in sections),
        "captions": len(captions),
        "references": len(references.items),
        "references_from": references.source,
    }
