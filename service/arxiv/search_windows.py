"""Date windows of a search beyond arXiv's result limit: planning only, no requests.

arXiv shows the first 10,000 results of a search (`ARXIV_SEARCH_WINDOW`). What is
beyond is reached through windows of submission date, each halved until its
results fit, down to one minute. Neighbours share their edge minute, because
arXiv counts only the first second of the last one (`…HHMM]` ends at HH:MM:00); a
paper of just that second is in both, so whoever reads the windows drops ids that
the window before ended with. Windows come in the order asked for, newest or
oldest first, so that each paper comes once and in that order.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

from service.domain.errors import PermanentError

_FIRST_DAY = date(1991, 1, 1)  # arXiv took its first paper in August 1991
_LAST_DAY = date(2099, 12, 31)  # "no end": constant, so that equal criteria give equal queries
_MINUTE = timedelta(minutes=1)
_FORMAT = "%Y%m%d%H%M"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Submissions from the minute `first` to the first second of the minute `last` (aware UTC)."""

    first: datetime
    last: datetime

    @classmethod
    def of_days(cls, first: date | None, last: date | None) -> Self:
        """Whole days (GMT), both inclusive; an open end takes arXiv's first or a far day.

        Raises ValueError when the first day is after the last.
        """
        first, last = first or _FIRST_DAY, last or _LAST_DAY
        if first > last:
            raise ValueError("the first day is after the last")
        begin, end = time(0, 0, tzinfo=UTC), time(23, 59, tzinfo=UTC)
        return cls(datetime.combine(first, begin), datetime.combine(last, end))

    def term(self) -> str:
        """The window in arXiv's query language."""
        return f"submittedDate:[{self.first:{_FORMAT}} TO {self.last:{_FORMAT}}]"

    def halves(self) -> tuple[Self, Self]:
        """The earlier and the later half, which share the minute between them.

        Raises WindowTooFull for a window of one minute.
        """
        minutes = (self.last - self.first) // _MINUTE
        if minutes <= 1:
            raise WindowTooFull(
                f"More papers were submitted at {self.first:%Y-%m-%d %H:%M} than arXiv shows",
            )
        middle = self.first + minutes // 2 * _MINUTE
        return type(self)(self.first, middle), type(self)(middle, self.last)


class WindowTooFull(PermanentError):
    """Even one minute has more results than arXiv shows of a search."""

    code = "upstream_incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """The windows that are still to be read, the current one first: a part of a checkpoint.

    `skip` is how many results of the current window come before the first one
    that is wanted (`start` of the search, less what earlier windows held),
    `skip_next` the same for the window behind it: those of the second that both
    share which were not wanted in the current one.
    """

    pending: tuple[Window, ...]
    newest_first: bool = True
    skip: int = 0
    skip_next: int = 0

    @classmethod
    def whole(
        cls, window: Window, *, now: datetime, newest_first: bool = True, skip: int = 0
    ) -> Self:
        """The plan of a search that nothing has been read of: one window.

        A window without an end ends behind `now`, so that halves have papers in them.
        """
        tomorrow = datetime.combine(now.astimezone(UTC).date(), time(), UTC) + timedelta(days=2)
        last = min(window.last, max(tomorrow, window.first))
        return cls(pending=(Window(window.first, last),), newest_first=newest_first, skip=skip)

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        """The plan that `dump` wrote; raises ValueError for anything else."""
        try:
            pending = tuple(
                Window(_moment(first), _moment(last)) for first, last in document["pending"]
            )
            return cls(
                pending=pending,
                newest_first=bool(document["newest_first"]),
                skip=int(document["skip"]),
                skip_next=int(document["skip_next"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise ValueError("the stored search windows cannot be read") from err

    def dump(self) -> dict[str, Any]:
        """The plan as JSON."""
        pending = [[f"{w.first:{_FORMAT}}", f"{w.last:{_FORMAT}}"] for w in self.pending]
        skips = {"skip": self.skip, "skip_next": self.skip_next}
        return {"pending": pending, "newest_first": self.newest_first, **skips}

    @property
    def current(self) -> Window | None:
        """The window to read now; None when all are read."""
        return self.pending[0] if self.pending else None

    @property
    def edge(self) -> Window | None:
        """The second that the current window shares with the next; None for the last window."""
        if len(self.pending) < 2:
            return None
        minute = self.pending[0].first if self.newest_first else self.pending[0].last
        return Window(minute, minute)

    def halved(self) -> Self:
        """The plan with the current window cut in two; raises WindowTooFull."""
        earlier, later = self.pending[0].halves()
        halves = (later, earlier) if self.newest_first else (earlier, later)
        return replace(self, pending=(*halves, *self.pending[1:]))

    def read(self) -> Self:
        """The plan when the current window, as `settled` gave it, has been read."""
        return replace(self, pending=self.pending[1:], skip=self.skip_next, skip_next=0)

    def passed_over(self, total: int, *, on_edge: int) -> Self:
        """The plan when none of the current window's `total` results are wanted.

        The `on_edge` of them in the second shared with the next window come there again.
        """
        return replace(self, pending=self.pending[1:], skip=self.skip - total + on_edge)


async def settled(
    plan: WindowPlan, count: Callable[[Window], Awaitable[int]], *, limit: int
) -> tuple[WindowPlan, int]:
    """The plan whose current window can be read as it is, and how many results that has.

    `count` asks how many results a window has (`totalResults`; an empty answer must
    have been asked for again). Windows without anything wanted are passed over,
    larger ones than `limit` halved. Raises WindowTooFull. At the end: no window, 0.
    """
    while plan.current is not None:
        total = await count(plan.current)
        if total <= plan.skip:
            on_edge = await count(plan.edge) if total and plan.edge else 0
            plan = plan.passed_over(total, on_edge=on_edge)
        elif total > limit:
            plan = plan.halved()
        else:
            on_edge = await count(plan.edge) if plan.skip and plan.edge else 0
            return replace(plan, skip_next=max(0, plan.skip - total + on_edge)), total
    return plan, 0


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
