"""When made-up papers were submitted, and the number that this gives them.

Papers are numbered by date, 0 the oldest. One in ten falls into the era of the
old identifiers (1992 to March 2007, `hep-th/9901001`), the others into that of
the new ones (`2301.00001`; four digits before 2015). Within an era papers are
spread evenly over the months, so that id, month and moment follow from the
number, and the number from the id, by arithmetic alone.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

_OLD = re.compile(r"(?P<archive>[a-z-]+)(?:\.[A-Z]{2})?/(?P<yymm>\d{4})(?P<place>\d{3})")
_NEW = re.compile(r"(?P<yymm>\d{4})\.(?P<place>\d{4,5})")
_FIVE_DIGITS_FROM = 2015 * 12  # January 2015, in months since year 0


@dataclass(frozen=True, slots=True)
class Era:
    """`papers` papers spread over `months` months from `first_month` (year * 12 + month - 1)."""

    first_month: int
    months: int
    papers: int

    def first(self, month: int) -> int:
        """The first paper of the era's month `month` (0-based)."""
        return -(-month * self.papers // self.months)

    def locate(self, paper: int) -> tuple[int, int]:
        """The month of the era that `paper` falls into, and its place in it (both 0-based)."""
        month = paper * self.months // self.papers
        return month, paper - self.first(month)

    def find(self, yymm: str, place: int) -> int | None:
        """The paper at 1-based `place` of the month that an id calls `yymm`."""
        short = int(yymm[:2])
        year = short + (1900 if short >= 91 else 2000)
        month = year * 12 + int(yymm[2:]) - 1 - self.first_month
        paper = self.first(month) + place - 1
        inside = 0 <= month < self.months and place >= 1 and paper < self.first(month + 1)
        return paper if inside else None

    def moment(self, paper: int) -> int:
        """Seconds since 1970 at which `paper` was submitted; strictly grows with `paper`."""
        month, place = self.locate(paper)
        begin, end = _begin(self.first_month + month), _begin(self.first_month + month + 1)
        size = self.first(month + 1) - self.first(month)
        step = (end - begin) // size
        return begin + place * step + paper * 40_503 % step

    def stamp(self, paper: int) -> tuple[str, int, int]:
        """What an id is made of: `yymm`, the 1-based place, and the month since year 0."""
        month, place = self.locate(paper)
        absolute = self.first_month + month
        return f"{absolute // 12 % 100:02d}{absolute % 12 + 1:02d}", place + 1, absolute


@cache
def _begin(month: int) -> int:
    """Seconds since 1970 at the start of a month, counted since year 0."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp())


class Calendar:
    """The ids and moments of a corpus of `papers`; `archive_of` names an old paper's archive."""

    def __init__(self, papers: int, archive_of: Callable[[int], str]) -> None:
        self.papers = papers
        self.old_papers = papers // 10
        self._archive_of = archive_of
        self._old = Era(1992 * 12, 183, self.old_papers)
        self._new = Era(2007 * 12 + 3, 225, papers - self.old_papers)

    def id_of(self, number: int) -> str:
        """The arXiv id of paper `number`, without version."""
        if number < self.old_papers:
            yymm, place, _ = self._old.stamp(number)
            return f"{self._archive_of(number)}/{yymm}{place:03d}"
        yymm, place, month = self._new.stamp(number - self.old_papers)
        digits = 5 if month >= _FIVE_DIGITS_FROM else 4
        return f"{yymm}.{place:0{digits}d}"

    def find(self, paper: str) -> int | None:
        """The number of the paper with this id, None when there is none.

        As at arXiv, the subject class in `math.GT/0309136` does not matter.
        """
        if match := _NEW.fullmatch(paper):
            number = self._new.find(match["yymm"], int(match["place"]))
            number = None if number is None else number + self.old_papers
        elif match := _OLD.fullmatch(paper):
            number = self._old.find(match["yymm"], int(match["place"]))
            paper = f"{match['archive']}/{match['yymm']}{match['place']}"
        else:
            return None
        return number if number is not None and self.id_of(number) == paper else None

    def moment(self, number: int) -> int:
        """Seconds since 1970 at which version 1 of paper `number` was submitted."""
        if number < self.old_papers:
            return self._old.moment(number)
        return self._new.moment(number - self.old_papers)

    def first_from(self, moment: int) -> int:
        """The first paper submitted at `moment` or later; `papers` when there is none."""
        return bisect_left(range(self.papers), moment, key=self.moment)
