"""Task runner: whatever happens in a run comes out as an outcome.

Before the work a start is counted in our own rows, so that a crash is seen by
the next one; after it the outcome is recorded there too. Only then does the
queue engine hear of it. The engine's own counting would miss crashes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Protocol, TypeVar

import structlog

from service.db.retry import with_retry
from service.domain.errors import DatabaseUnavailable, Quarantined
from service.domain.measurements import Measurements
from service.domain.outcomes import Fail, Outcome, Retry, Snooze, Succeed, decide

# Attempts that never ended. Most of an attempt is waiting, and workers may be killed every few
# seconds for an hour: what really kills its worker is found sooner (see extraction.quarantine).
MAX_CRASHES = 100
DATABASE_DELAY = timedelta(seconds=2)
_OUTCOMES: Mapping[type[Outcome], str] = {
    Succeed: "succeeded",
    Retry: "retried",
    Snooze: "retried",
    Fail: "failed",
}

_log = structlog.get_logger(__name__)


class Attempt(Protocol):
    """What `begin` found: which try this is, and how many before it never ended."""

    @property
    def number(self) -> int:
        """Which try it is, counted from 1."""
        ...

    @property
    def crashes(self) -> int:
        """Starts before this one that did not end in order."""
        ...


A = TypeVar("A", bound=Attempt)


class Work(Protocol[A]):
    """One kind of work on one item."""

    @property
    def max_attempts(self) -> int:
        """Tries that a transient fault of the item is worth."""
        ...

    async def begin(self) -> A | None:
        """Count a start, committed; None when there is nothing to do any more."""
        ...

    async def run(self, attempt: A, /) -> None:
        """Do it. Raises what went wrong."""
        ...

    async def conclude(self, attempt: A, outcome: Outcome, error: Exception | None, /) -> None:
        """Record the outcome, committed. Must not mind being called twice."""
        ...


async def run_work(work: Work[A], *, jitter: Callable[[], float]) -> Outcome:
    """Begin, run and conclude `work`; returns what is to become of its task.

    Raises only CancelledError, and DatabaseUnavailable when the outcome could not be
    recorded for 15 minutes. A cancelled run is concluded as a snooze first.
    """
    try:
        attempt = await work.begin()
    except DatabaseUnavailable:
        return Snooze(DATABASE_DELAY)
    if attempt is None:
        return Succeed()
    error: Exception | None = None
    try:
        if attempt.crashes >= MAX_CRASHES:
            raise Quarantined(f"its worker crashed {attempt.crashes} times while processing it")
        await work.run(attempt)
    except asyncio.CancelledError:
        giving_back = asyncio.ensure_future(work.conclude(attempt, Snooze(timedelta(0)), None))
        giving_back.add_done_callback(_note_unwritten)
        await asyncio.shield(giving_back)
        raise
    except Exception as err:  # the boundary: everything becomes an outcome
        error = err
    outcome = decide(error, attempt=attempt.number, limit=work.max_attempts, jitter=jitter())
    _log_error(work, outcome, error)
    await with_retry(lambda: work.conclude(attempt, outcome, error))
    return outcome


async def measured(kind: str, running: Awaitable[Outcome], measurements: Measurements) -> Outcome:
    """The outcome of one run of a task of `kind`, reported to `measurements`.

    One that is put off counts as retried; one that could not be recorded is not counted:
    its lease expires, and it is run again.
    """
    try:
        outcome = await running
    except asyncio.CancelledError:
        measurements.task_ended(kind, "cancelled")
        raise
    measurements.task_ended(kind, _OUTCOMES[type(outcome)])
    return outcome


def _note_unwritten(giving_back: asyncio.Future[None]) -> None:
    """Say that a start was not released: cancelled once more, nobody waits for it."""
    if not giving_back.cancelled() and (error := giving_back.exception()) is not None:
        _log.warning("attempt not rolled back", error=type(error).__name__)


def _log_error(work: object, outcome: Outcome, error: Exception | None) -> None:
    if error is None:
        return
    facts = {"outcome": type(outcome).__name__}
    for name, attribute in (("job_id", "job_id"), ("arxiv_id", "paper")):
        if (value := getattr(work, attribute, None)) is not None:
            facts[name] = str(value)
    code = getattr(error, "code", None)
    if code is None:  # not of our tree: a bug, whose trace belongs in the log and nowhere else
        _log.error("task failed unexpectedly", **facts, exc_info=error)
    else:
        _log.info("attempt failed", **facts, code=code)
