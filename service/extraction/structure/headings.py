"""All headings of a paper: from its outline, else its destinations, else its type."""

from dataclasses import dataclass

from service.extraction.structure.destination_headings import from_destinations, starred
from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.navigation import Navigation
from service.extraction.structure.outline_headings import from_outline
from service.extraction.structure.styled_headings import from_style
from service.extraction.structure.titles import role_of

_MIN_DESTINATIONS = 2  # fewer name no structure


@dataclass(frozen=True, slots=True)
class Headings:
    """In the text's order; `source` is `outline`, `destinations` or `style`."""

    found: tuple[Heading, ...]
    source: str


def headings_of(flow: Flow, navigation: Navigation) -> Headings:
    """The headings, those of abstract, contents and references with their role."""
    found, source = from_outline(flow, navigation.bookmarks), "outline"
    if not found:
        found, source = from_destinations(flow, navigation.destinations), "destinations"
        found = found if len(found) >= _MIN_DESTINATIONS else []
    if found:
        found += starred(flow, navigation.destinations, found)
        found += _unnamed(flow, found)
    else:
        found, source = from_style(flow), "style"
    ordered = sorted(found, key=lambda heading: (heading.start, heading.level))
    return Headings(tuple(ordered), source)


def _unnamed(flow: Flow, found: list[Heading]) -> list[Heading]:
    """Headings of abstract, contents and references, which neither outline nor names have."""
    taken = {i for heading in found for i in range(heading.start, heading.end)}
    known = {heading.role for heading in found if heading.end > heading.start}
    return [
        Heading(row.index, row.index + 1, row.page, 1, None, row.text.strip(), role)
        for row in flow.rows
        if len(row.text) < 40 and row.index not in taken and flow.is_apart(row)
        if (role := role_of(row.text)) is not None and role not in known
    ]
