"""Outage log: a line at the beginning, one a minute, one at the end.

Many parts of a process meet the same outage, each several times a second. All of
them report to one `OutageLog` for what they use (the database, arXiv, storage),
and it alone speaks: once when the outage begins, once a minute while it lasts, and
once when it is over. It is a value without I/O: the owner says where lines go.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Subject → its events: when an outage begins, while it lasts, when it is over.
EVENTS = {
    "database": ("database unavailable", "database still unavailable", "database available again"),
    "arxiv": ("arxiv unavailable", "arxiv still unavailable", "arxiv available again"),
    "storage": ("storage unavailable", "storage still unavailable", "storage available again"),
}
REPEAT_SECONDS = 60.0
# An outage is over when nothing has failed for so long: some parts may work where others do
# not yet (reads on a server that is read-only; a pool that still has dead connections).
CALM_SECONDS = 2.0
DOUBT_SECONDS = 1.0  # of nothing but failures, until what one connection may have is an outage


class Logger(Protocol):
    """Where events go: structlog's loggers have these."""

    def warning(self, event: str, **facts: object) -> object:
        """Something is wrong."""
        ...

    def info(self, event: str, **facts: object) -> object:
        """Something is in order."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something failed: a short stable `code` and a sentence, both safe to show.

    Without a `text`, the `code` says all that is known.

    `is_doubtful`: it may be the matter of one connection, unless it lasts. `is_outage` is False for
    what others' work brings about (locks, deadlocks, a busy pool): the thing itself is there.
    """

    code: str
    text: str = ""
    is_doubtful: bool = False
    is_outage: bool = True


@dataclass(slots=True)
class _Outage:
    """One that lasts: all in seconds of the clock, but for `since`."""

    reason: Reason
    since: datetime
    began_at: float
    failed_at: float
    reported_at: float
    worked_at: float | None = None  # first success after the last failure


class OutageLog:
    """The outages of `subject` (of `EVENTS`), as this process sees them; for one event loop.

    Fields: `reason` and `detail` when it begins, these and `seconds` once a minute while
    it lasts, `seconds` when it is over.
    """

    def __init__(
        self, subject: str, log: Logger, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._begins, self._lasts, self._ends = EVENTS[subject]
        self._log = log
        self._clock = clock
        self._outage: _Outage | None = None
        self._doubted_at: float | None = None

    @property
    def reason(self) -> Reason | None:
        """Why it is unavailable; None while it is available."""
        return None if self._outage is None else self._outage.reason

    @property
    def since(self) -> datetime | None:
        """When the outage began (UTC); None while there is none."""
        return None if self._outage is None else self._outage.since

    def failed(self, reason: Reason) -> None:
        """Something could not be done for `reason`."""
        if not reason.is_outage:
            return
        outage, now = self._outage, self._clock()
        if outage is None:
            began_at = now if self._doubted_at is None else self._doubted_at
            self._doubted_at = began_at
            if not reason.is_doubtful or now - began_at >= DOUBT_SECONDS:
                self._begin(reason, began_at, now)
            return
        outage.failed_at, outage.worked_at = now, None
        if not reason.is_doubtful:  # these follow from what was known better
            outage.reason = reason
        if now - outage.reported_at >= REPEAT_SECONDS:
            outage.reported_at = now
            self._log.warning(self._lasts, **_facts(outage, now))

    def worked(self) -> None:
        """Something could be done. Cheap while there is no outage."""
        self._doubted_at = None
        if self._outage is None:
            return
        outage, now = self._outage, self._clock()
        outage.worked_at = now if outage.worked_at is None else outage.worked_at
        if now - outage.failed_at >= CALM_SECONDS:
            self.over()

    def over(self) -> None:
        """Everything works again, for certain."""
        outage, self._outage = self._outage, None
        if outage is not None:
            ended_at = self._clock() if outage.worked_at is None else outage.worked_at
            self._log.info(self._ends, seconds=round(ended_at - outage.began_at, 1))

    def _begin(self, reason: Reason, began_at: float, now: float) -> None:
        since = datetime.now(UTC) - timedelta(seconds=now - began_at)
        self._outage = _Outage(reason, since, began_at, failed_at=now, reported_at=now)
        self._log.warning(self._begins, **_why(reason))


def _facts(outage: _Outage, now: float) -> dict[str, object]:
    seconds = round(now - outage.began_at, 1)
    return {**_why(outage.reason), "seconds": seconds}


def _why(reason: Reason) -> dict[str, object]:
    return {"reason": reason.code, **({"detail": reason.text} if reason.text else {})}
