"""Where an OAI-PMH harvest stands: the list, its token, the last day seen, a day to compare.

Pure. arXiv lists records by the day of their last change, so that a token which is
lost costs at most the day it was in: that day is listed once more, and `seen` says
which of its papers were met. Records that change while their day is paged move to a
later one, and shift others out of the pages still to come; so a day that took more
than one page is compared afterwards (`DayCheck`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Self

from service.arxiv.oai import RecordPage
from service.domain.checkpoint import Checkpoint

OAI = "oai"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCheck:
    """A day whose listed identifiers are compared with those `seen` of it.

    `token` goes on with the list of identifiers, or (once `listed`) with the day's
    records, which are listed once more where many are missing (`was_anew`: they were).
    `missing` were not seen, and are asked for.
    """

    day: str
    seen: Sequence[str]
    token: str | None = None
    missing: Sequence[str] = ()
    listed: bool = False
    was_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The list begins at `start` (None: no bound) and goes on with `token`, if there is one.

    `day` is the last datestamp seen, `pages` how many pages had some of it and `seen`
    its papers. `met` counts the papers of the job, `refused` tokens that were refused
    since the last progress. `ended`: the list is, only `check` is left.
    """

    start: str | None
    token: str | None = None
    day: str | None = None
    seen: Sequence[str] = ()
    pages: int = 0
    met: int = 0
    refused: int = 0
    ended: bool = False
    check: DayCheck | None = None

    @classmethod
    def read(cls, *, check: Mapping[str, Any] | None, **rest: Any) -> Self:  # noqa: ANN401 - JSON
        """The state that `checkpoint` wrote; raises TypeError for entries of another form."""
        return cls(check=DayCheck(**check) if check else None, **rest)

    def checkpoint(self, *, done: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        done = done or (self.ended and self.check is None)
        return Checkpoint(source=OAI, format=FORMAT, state=asdict(self), done=done)

    @property
    def first_day(self) -> date | None:
        """The day the list begins with."""
        return date.fromisoformat(self.start) if self.start else None

    def rebased(self) -> Self:
        """The list from the last day seen on, where its token is of no use any more."""
        return replace(self, start=self.day or self.start, token=None, refused=self.refused + 1)

    def after(self, page: RecordPage) -> Self:
        """Behind a page with records."""
        shown = page.last_day.isoformat() if page.last_day else ""
        last = max(shown, self.day or "")
        of_last = _of_day(page, last)
        unread = {one.arxiv_id for one in page.errors if one.arxiv_id}
        if last == self.day:
            seen, pages, check = {*self.seen, *of_last, *unread}, self.pages + 1, None
        else:
            seen, pages, check = {*of_last, *unread}, 1, self._passed(page, unread)
        ended = page.token is None
        if ended and pages > 1:
            check = DayCheck(day=last, seen=sorted(seen))
        is_further = last != self.day or self.token is not None
        return replace(
            self,
            token=page.token,
            day=last or None,
            seen=sorted(seen),
            pages=pages,
            met=self.met + len({paper.arxiv_id.paper for paper in page.papers} - {*self.seen}),
            refused=0 if is_further else self.refused,
            ended=ended,
            check=check,
        )

    def _passed(self, page: RecordPage, unread: set[str]) -> DayCheck | None:
        """The check of the day seen last, now that `page` goes beyond it; None if it needs none."""
        if self.day is None:
            return None
        rest = _of_day(page, self.day)
        if self.pages + bool(rest) < 2:
            return None
        return DayCheck(day=self.day, seen=sorted({*self.seen, *rest, *unread}))


def _of_day(page: RecordPage, day: str) -> set[str]:
    ids = {one.arxiv_id.paper for one in page.papers if str(one.datestamp) == day}
    return ids | {one.paper for one in page.deleted if str(one.datestamp) == day}
