"""What happened to made-up papers while the server ran: new versions, withdrawals, edits.

The corpus itself never changes; this is laid over it, and only for the papers
that it concerns. Tests use it for records that change in mid-harvest.
"""

from dataclasses import dataclass, field

KINDS = ("metadata", "version", "withdraw", "license", "hide", "announce")


class BadChange(ValueError):
    """A change that cannot be; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change at `at` (seconds since 1970).

    `metadata` edits the comment, `version` adds a version, `withdraw` one that is
    a withdrawal, `license` sets `license` (None: none given). `hide` makes a paper one
    that arXiv does not have yet, `announce` one that is new today.
    """

    kind: str
    at: int
    license: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadChange(f"kind must be one of {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class Revision:
    """A version that was added: when, and whether it is a withdrawal."""

    at: int
    withdrawn: bool


@dataclass(slots=True)
class _Amended:
    modified: int = 0
    edits: int = 0
    revised: list[Revision] = field(default_factory=list)
    licenses: list[str | None] = field(default_factory=list)


class Amendments:
    """The changed papers, by number."""

    def __init__(self) -> None:
        self._amended: dict[int, _Amended] = {}
        self.hidden: set[int] = set()

    def __contains__(self, number: int) -> bool:
        return number in self._amended

    def add(self, number: int, change: Change) -> None:
        """Lay `change` over what is there."""
        paper = self._amended.setdefault(number, _Amended())
        paper.modified = change.at
        self.hidden.discard(number)
        if change.kind == "hide":
            self.hidden.add(number)
        elif change.kind == "metadata":
            paper.edits += 1
        elif change.kind == "license":
            paper.licenses.append(change.license)
        elif change.kind != "announce":
            paper.revised.append(Revision(change.at, change.kind == "withdraw"))

    def revised(self, number: int) -> list[Revision]:
        """The versions that were added, oldest first."""
        paper = self._amended.get(number)
        return paper.revised if paper else []

    def edits(self, number: int) -> int:
        """How often the metadata was edited."""
        paper = self._amended.get(number)
        return paper.edits if paper else 0

    def modified(self, number: int) -> int | None:
        """When the paper was last changed, None if it was not."""
        paper = self._amended.get(number)
        return paper.modified if paper else None

    def license(self, number: int, otherwise: str | None) -> str | None:
        """The licence set last, `otherwise` if none was."""
        paper = self._amended.get(number)
        return paper.licenses[-1] if paper and paper.licenses else otherwise
