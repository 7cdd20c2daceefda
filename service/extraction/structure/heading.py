"""A heading as found in the flow: where it stands, and where its section's text begins."""

from dataclasses import dataclass

from service.extraction.structure.titles import Role


@dataclass(frozen=True, slots=True)
class Heading:
    """`rows[start:end]` hold it; of the last of them the text from `run_in` on is prose already.

    `run_in` is None where the heading has its rows for itself. A heading that was not found in
    the text (its page is a picture) has start == end: the row before which it belongs. `number`
    is bare; `level` counts from 1; `role` is set for what is no section.
    """

    start: int
    end: int
    page: int
    level: int
    number: str | None
    title: str
    role: Role | None = None
    run_in: int | None = None
