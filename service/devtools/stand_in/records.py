"""What arXiv's database holds about a made-up paper beyond what its search tells.

Versions with sizes and source types, licence, submitter, affiliations, classes,
and the moment of the last change, from which its datestamp follows. Like the
papers themselves all of it is a pure function of (seed, number), until a paper is
amended. OAI-PMH, HTML and the metadata file are written from it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from service.devtools.stand_in import vocabulary as words
from service.devtools.stand_in.corpus import Corpus, author_steps
from service.devtools.stand_in.modified import Modified
from service.devtools.stand_in.tex import to_tex
from service.devtools.stand_in.wheels import Wheel, mix
from service.domain.papers import Paper

_SUFFIX = " Jr."


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its number, when it came, kilobytes of source, letters of its source type."""

    number: int
    submitted_at: datetime
    size_kb: int
    source_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An author in parts; `affiliations` in full, empty when the paper tells none."""

    forenames: str
    keyname: str
    suffix: str | None
    affiliations: tuple[str, ...]

    @property
    def name(self) -> str:
        """Given name first."""
        return " ".join(filter(None, (self.forenames, self.keyname, self.suffix)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A paper with all its versions, as it stands now. `paper` is the newest, texts in letters.

    `author_line` is the authors in one line, in TeX, as they typed it. `license` is a
    URI, None when none was given.
    """

    paper: Paper
    versions: tuple[Version, ...]
    authors: tuple[Author, ...]
    author_line: str
    submitter: str
    modified_at: datetime
    license: str | None
    proxy: str | None
    report_no: str | None
    msc_class: str | None
    acm_class: str | None


class Records:
    """The records of `corpus`."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.modified = Modified(corpus)
        seed = corpus.seed
        self._license = Wheel("license", words.LICENSES, period=227, seed=seed)
        self._old_license = Wheel("old_license", words.OLD_LICENSES, period=229, seed=seed)
        self._source = Wheel("source", words.SOURCE_TYPES, period=233, seed=seed)
        self._lettered = Wheel("lettered", [True] * 10 + [False], period=11, seed=seed)
        # how authors tell their affiliations: not, one behind each name, or up to two by numbers
        self._style = Wheel("affiliations", [0, 0, 0, 0, 1, 2], period=239, seed=seed)
        self._report = Wheel("report", [True, *[False] * 9], period=241, seed=seed)
        self._classes = Wheel("classes", [0, 0, 1, 2, 3], period=251, seed=seed)
        self._proxy = Wheel("proxy", ["ccsd", "vtex", *[None] * 60], period=257, seed=seed)

    def record(self, number: int) -> Record:
        """The record of paper `number`."""
        corpus = self.corpus
        paper = corpus.paper(number)
        authors = self.authors(number)
        msc, acm = self._class_marks(number)
        return Record(
            paper=paper,
            versions=tuple(
                self._version(number, version) for version in range(1, corpus.versions(number) + 1)
            ),
            authors=authors,
            author_line=to_tex(_line(authors, self._style.at(number))),
            submitter=authors[0].name,
            modified_at=datetime.fromtimestamp(self.modified.at(number), UTC),
            license=self.license(number),
            proxy=self._proxy.at(number),
            report_no=f"REPL-TH-{number % 97:02d}/{number}" if self._report.at(number) else None,
            msc_class=msc,
            acm_class=acm,
        )

    def license(self, number: int) -> str | None:
        """The licence that paper `number` was given, None for none."""
        is_old = number < self.corpus.calendar.old_papers
        first = self._old_license.at(number) if is_old else self._license.at(number)
        return self.corpus.amendments.license(number, first)

    def authors(self, number: int) -> tuple[Author, ...]:
        """The authors of paper `number`, in parts."""
        wheels, style = self.corpus.wheels, self._style.at(number)
        found = []
        steps = islice(author_steps(), wheels.authors.at(number))
        for place, (given, family) in enumerate(steps):
            name = wheels.family.at(number + family)
            found.append(
                Author(
                    forenames=wheels.given.at(number + given),
                    keyname=name.removesuffix(_SUFFIX),
                    suffix="Jr." if name.endswith(_SUFFIX) else None,
                    affiliations=_affiliations(number, place)[:style],
                )
            )
        return tuple(found)

    def _version(self, number: int, version: int) -> Version:
        withdrawn = self.corpus.is_withdrawn(number, version)
        letters = self._source.at(number + version)
        if withdrawn:  # the letter is missing now and then; the comment then is all there is
            letters = "I" if self._lettered.at(number) else None
        size = mix(self.corpus.seed, "size", number, version) % 4_000 + 5
        return Version(
            number=version,
            submitted_at=datetime.fromtimestamp(self.corpus.updated(number, version), UTC),
            size_kb=0 if withdrawn else size,
            source_type=letters,
        )

    def _class_marks(self, number: int) -> tuple[str | None, str | None]:
        """MSC and ACM classes; some papers have one of them, some both."""
        choice = self._classes.at(number)
        msc = f"{number % 90 + 5:02d}A{number % 60 + 10}" if choice & 1 else None
        acm = f"I.{number % 7 + 1}.{number % 9}" if choice & 2 else None
        return msc, acm


def _affiliations(number: int, place: int) -> tuple[str, ...]:
    """Where author `place` works: one institute, or two."""
    count = 1 + (number + place) % 5 // 4
    first = number + place // 2
    return tuple(words.INSTITUTES[(first + step) % len(words.INSTITUTES)] for step in range(count))


def _line(authors: tuple[Author, ...], style: int) -> str:
    """The authors in one line: `A, B and C`; affiliations in brackets or by numbers."""
    if style == 2:
        return _numbered(authors)
    names = [
        f"{author.name} ({author.affiliations[0]})" if author.affiliations else author.name
        for author in authors
    ]
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _numbered(authors: tuple[Author, ...]) -> str:
    """`A (1), B (1 and 2) ((1) Institute, (2) Other Institute)`."""
    places = list(dict.fromkeys(one for author in authors for one in author.affiliations))
    names = (
        f"{author.name} ({' and '.join(str(places.index(a) + 1) for a in author.affiliations)})"
        for author in authors
    )
    legend = ", ".join(f"({number}) {place}" for number, place in enumerate(places, start=1))
    return f"{', '.join(names)} ({legend})"
