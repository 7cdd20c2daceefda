"""Outage log: tells the beginning, the lasting and the end of an outage, once for the process.

Many parts of a process meet the same outage, each several times a second. All of
them report to one `OutageLog` for what they use (the database, arXiv, storage),
and it alone speaks: once when the outage begins, once a minute while it lasts, and
once when it is over. It is a value without I/O: the owner says where lines go.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

REPEAT_SECONDS = 60.0
# An outage is over when nothing has failed for so long: some parts may work where others do
# not yet (reads on a server that is read-only; a pool that still has dead connections).
CALM_SECONDS = 2.0
DOUBTFUL_FAILURES = 2  # in a row, until something that one connection may have is an outage


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

    `is_doubtful`: seen once it may be the matter of one connection. `is_outage` is False for
    what others' work brings about (locks, deadlocks, a busy pool): the thing itself is there.
    """

    code: str
    text: str
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
    """The outages of `subject`, as this process sees them; for one event loop.

    Events: `<subject> unavailable` (reason, detail), `<subject> still unavailable`
    (reason, detail, seconds) once a minute, `<subject> available again` (seconds).
    """

    def __init__(
        self, subject: str, log: Logger, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.subject: Final = subject
        self._log = log
        self._clock = clock
        self._outage: _Outage | None = None
        self._doubts = 0

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
            self._doubts += 1
            if not reason.is_doubtful or self._doubts >= DOUBTFUL_FAILURES:
                self._begin(reason, now)
            return
        outage.failed_at, outage.worked_at = now, None
        if not reason.is_doubtful:  # these follow from what was known better
            outage.reason = reason
        if now - outage.reported_at >= REPEAT_SECONDS:
            outage.reported_at = now
            self._log.warning(f"{self.subject} still unavailable", **_facts(outage, now))

    def worked(self) -> None:
        """Something could be done. Cheap while there is no outage."""
        self._doubts = 0
        if self._outage is None:
            return
        outage, now = self._outage, self._clock()
        outage.worked_at = outage.worked_at or now
        if now - outage.failed_at >= CALM_SECONDS:
            self._outage = None
            seconds = round(outage.worked_at - outage.began_at, 1)
            self._log.info(f"{self.subject} available again", seconds=seconds)

    def _begin(self, reason: Reason, now: float) -> None:
        self._outage = _Outage(reason, datetime.now(UTC), now, now, now)
        facts = {"reason": reason.code, "detail": reason.text}
        self._log.warning(f"{self.subject} unavailable", **facts)


def _facts(outage: _Outage, now: float) -> dict[str, object]:
    seconds = round(now - outage.began_at, 1)
    return {"reason": outage.reason.code, "detail": outage.reason.text, "seconds": seconds}
