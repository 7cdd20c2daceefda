"""A made-up arXiv of any size: paper n is a pure function of (seed, n).

Nothing is kept per paper, so a corpus of a million costs what one of ten costs,
and two processes with the same size and seed hold the same papers. The server
answers from it, and tests ask it what the right answer is (`expected`). A paper
that was changed while the server ran (`amend`) shows that from then on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from service.devtools.stand_in import vocabulary as words
from service.devtools.stand_in.amendments import Amendments, Change
from service.devtools.stand_in.calendar import Calendar
from service.devtools.stand_in.prose import Prose
from service.devtools.stand_in.wheels import Wheel
from service.domain.identifiers import ArxivId
from service.domain.papers import Paper

MAX_PAPERS = 1_000_000  # beyond, a month of the old identifiers would run out of its 999 numbers
MAX_PAGES = 8
_AUTHOR_STEPS = ((0, 0), (7, 11), (19, 23), (31, 5), (43, 37), (53, 29), (3, 59), (13, 41))
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Wheels:
    """The wheels that papers read their properties from."""

    category: Wheel[str]
    old_category: Wheel[str]
    cross_list: Wheel[tuple[str, ...]]
    given: Wheel[str]
    family: Wheel[str]
    authors: Wheel[int]
    versions: Wheel[int]
    revision_days: Wheel[int]
    withdrawn: Wheel[str | None]
    has_doi: Wheel[bool]
    journal: Wheel[str | None]
    comment: Wheel[str | None]
    pages: Wheel[int]
    other_withdrawal: Wheel[str | None]

    @classmethod
    def turned(cls, seed: int) -> "Wheels":
        """The wheels in the order that `seed` gives them."""
        return cls(
            category=Wheel("category", words.CATEGORIES, period=211, seed=seed),
            old_category=Wheel("old_category", words.OLD_CATEGORIES, period=47, seed=seed),
            cross_list=Wheel("cross_list", words.CROSS_LISTS, period=89, seed=seed),
            given=Wheel("given", words.GIVEN_NAMES, period=193, seed=seed),
            family=Wheel("family", words.FAMILY_NAMES, period=197, seed=seed),
            authors=Wheel("authors", [1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8], period=61, seed=seed),
            versions=Wheel("versions", [1] * 12 + [2] * 5 + [3] * 2, period=59, seed=seed),
            revision_days=Wheel("revision_days", range(3, 50), period=71, seed=seed),
            withdrawn=Wheel("withdrawn", [*words.WITHDRAWALS, *[None] * 95], period=97, seed=seed),
            has_doi=Wheel("has_doi", [True, False, False], period=67, seed=seed),
            journal=Wheel("journal", words.JOURNALS, period=73, seed=seed),
            comment=Wheel("comment", words.COMMENTS, period=79, seed=seed),
            pages=Wheel("pages", range(1, MAX_PAGES + 1), period=83, seed=seed),
            other_withdrawal=Wheel(
                "other_withdrawal", words.OTHER_WITHDRAWALS, period=223, seed=seed
            ),
        )


def slots(seed: int) -> dict[str, Wheel[str]]:
    """The wheels for the slots of all templates, by slot name."""
    tables = {
        "adjective": (words.ADJECTIVES, (101, 103, 107)),
        "method": (words.METHODS, (109, 113, 127)),
        "object": (words.OBJECTS, (131, 137, 139)),
        "property": (words.PROPERTIES, (149, 151)),
        "verb": (words.VERBS, (157,)),
        "number": (words.NUMBERS, (163, 167)),
    }
    return {
        f"{kind}{place}": Wheel(f"{kind}{place}", table, period=period, seed=seed)
        for kind, (table, periods) in tables.items()
        for place, period in enumerate(periods, start=1)
    }


class Corpus:
    """`papers` (1–1,000,000) papers, numbered from 0 by date of submission."""

    def __init__(self, papers: int, seed: int) -> None:
        if not 1 <= papers <= MAX_PAPERS:
            raise ValueError(f"a corpus has 1 to {MAX_PAPERS} papers")
        self.papers = papers
        self.seed = seed
        self.wheels = Wheels.turned(seed)
        self.amendments = Amendments()
        self.calendar = Calendar(papers, self._archive_of)
        filled = slots(seed)
        self.title = Prose(words.TITLES, _choice("title", 173, words.TITLES, seed), filled)
        self.abstract = Prose(words.ABSTRACTS, _choice("text", 179, words.ABSTRACTS, seed), filled)

    def id_of(self, number: int) -> ArxivId:
        """The id of paper `number`, without version."""
        return ArxivId(self.calendar.id_of(number))

    def find(self, arxiv_id: ArxivId) -> int | None:
        """The number of this paper; None when there is no such paper or no such version."""
        number = self.calendar.find(arxiv_id.paper)
        if number is None or number in self.amendments.hidden:
            return None
        return number if (arxiv_id.version or 1) <= self.versions(number) else None

    def versions(self, number: int) -> int:
        """How many versions paper `number` has; a withdrawal is one, and never the first.

        1 to 3, and those that were added while the server ran.
        """
        return self._first_versions(number) + len(self.amendments.revised(number))

    def is_withdrawn(self, number: int, version: int | None = None) -> bool:
        """True when `version` (None: the latest) is a withdrawal, and has no PDF."""
        first = self._first_versions(number)
        if version is None:
            version = self.versions(number)
        if version <= first:
            return version == first and self.wheels.withdrawn.at(number) is not None
        return self.amendments.revised(number)[version - first - 1].withdrawn

    def has_pdf(self, arxiv_id: ArxivId) -> bool:
        """True when a PDF can be had for this id: it exists and that version is not withdrawn."""
        number = self.find(arxiv_id)
        return number is not None and not self.is_withdrawn(number, arxiv_id.version)

    def updated(self, number: int, version: int | None = None) -> int:
        """Seconds since 1970 at which `version` (None: the latest) was submitted."""
        version = version or self.versions(number)
        first = self._first_versions(number)
        if version > first:
            return self.amendments.revised(number)[version - first - 1].at
        days = self.wheels.revision_days.at(number)
        return self.calendar.moment(number) + (version - 1) * days * _DAY

    def amend(self, number: int, change: Change) -> None:
        """Change paper `number` now, as its author or arXiv would."""
        self.amendments.add(number, change)

    def _first_versions(self, number: int) -> int:
        """How many versions the paper had when the server started (1–3)."""
        versions = self.wheels.versions.at(number)
        return versions if self.wheels.withdrawn.at(number) is None else max(versions, 2)

    def categories(self, number: int) -> tuple[str, ...]:
        """The categories of paper `number`, the primary one first."""
        if number < self.calendar.old_papers:
            return (self.wheels.old_category.at(number),)
        primary = self.wheels.category.at(number)
        others = self.wheels.cross_list.at(number)
        return (primary, *(other for other in others if other != primary))

    def authors(self, number: int) -> tuple[str, ...]:
        """The authors of paper `number`, given name first."""
        count = self.wheels.authors.at(number)
        return tuple(
            f"{self.wheels.given.at(number + given)} {self.wheels.family.at(number + family)}"
            for given, family in _AUTHOR_STEPS[:count]
        )

    def paper(self, number: int, version: int | None = None) -> Paper:
        """Paper `number` as its `version` (None: the latest) was announced; IndexError if none."""
        latest = self.versions(number) if 0 <= number < self.papers else 0
        shown = version or latest
        if not 1 <= shown <= latest:
            raise IndexError(f"no paper {number} in version {version}")
        categories = self.categories(number)
        published = self.calendar.moment(number)
        withdrawn = self.is_withdrawn(number, shown)
        return Paper(
            arxiv_id=ArxivId(self.calendar.id_of(number), shown),
            title=self.title.text(number),
            abstract=self.abstract.text(number),
            authors=self.authors(number),
            categories=categories,
            primary_category=categories[0],
            published_at=_utc(published),
            updated_at=_utc(self.updated(number, shown)),
            doi=self._doi(number),
            journal_ref=self._journal_ref(number),
            comments=self._comments(number, withdrawn=withdrawn),
            withdrawn=withdrawn,
        )

    def pages(self, number: int) -> int:
        """How many pages the PDF of paper `number` has (1–8)."""
        return self.wheels.pages.at(number)

    def _archive_of(self, number: int) -> str:
        return self.wheels.old_category.at(number).partition(".")[0]

    def _year(self, number: int) -> int:
        return _utc(self.calendar.moment(number)).year

    def _doi(self, number: int) -> str | None:
        """A DOI under 10.5555, the prefix that is set aside for examples."""
        if not self.wheels.has_doi.at(number):
            return None
        return f"10.5555/{self._year(number)}.{number:07d}"

    def _journal_ref(self, number: int) -> str | None:
        template = self.wheels.journal.at(number)
        if template is None:
            return None
        return template.format(volume=number % 97 + 4, year=self._year(number), page=number % 880)

    def _comments(self, number: int, *, withdrawn: bool) -> str | None:
        template = self._withdrawal(number) if withdrawn else self.wheels.comment.at(number)
        text = template and template.format(pages=self.pages(number), figures=number % 7 + 2)
        edits = self.amendments.edits(number)
        return f"{text or 'Metadata corrected'}; edit {edits}" if edits else text

    def _withdrawal(self, number: int) -> str:
        usual = self.wheels.withdrawn.at(number) or words.WITHDRAWALS[0]
        return self.wheels.other_withdrawal.at(number) or usual


def author_steps() -> tuple[tuple[int, int], ...]:
    """How far each author of a paper reads ahead on the wheels of given and family names."""
    return _AUTHOR_STEPS


def _choice(name: str, period: int, templates: tuple[str, ...], seed: int) -> Wheel[int]:
    return Wheel(f"{name}_template", range(len(templates)), period=period, seed=seed)


def _utc(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
