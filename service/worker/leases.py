"""Leases of the tasks in this process, measured by its own clock.

A lease is measured here from the moment before the claim, or before the renewal,
was sent, by this host's monotonic clock: so it ends here before it ends in the
database, and a worker that cannot renew stops before another one takes over.
Stopped work is released where that can be written; the queue hears its owner only.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from uuid import UUID

import structlog

from service.domain.outcomes import Outcome, Snooze, Succeed

GIVE_UP_AT = 0.8  # of the lease: the rest is for the work to stop
JOB_STATUS_READER = 20  # at the leases, in the time of one

_log = structlog.get_logger(__name__)


class LeaseLost(BaseException):
    """Leave the task to its lease: whatever is written now may be wrong.

    No `Exception`, because PgQueuer deletes the row of a task that ends in one.
    """


@dataclass(slots=True)
class Run:
    """One task in work. `is_unwanted`: its job is finished; `is_lost`: its lease lapses."""

    kind: str
    job_id: UUID
    work: asyncio.Task[Outcome]
    is_unwanted: bool = False
    is_lost: bool = False

    async def outcome(self) -> Outcome:
        """What is to become of the task once the work has ended; raises LeaseLost.

        Being cancelled here is a stop by force, which PgQueuer takes for a task
        that nobody wants any more.
        """
        try:
            await asyncio.wait({self.work})
        except asyncio.CancelledError as err:
            self.work.cancel()
            raise LeaseLost from err
        if self.work.cancelled():
            return Succeed() if self.is_unwanted else Snooze(timedelta(0))
        if (error := self.work.exception()) is not None:
            if not self.is_lost:  # lost work could not say how it ended: no wonder
                _log.error(
                    "result not recorded, lease will expire",
                    job_id=str(self.job_id),
                    exc_info=error,
                )
            raise LeaseLost from error
        return self.work.result()


def _look_at(work: asyncio.Task[Outcome]) -> None:
    """For asyncio, which complains of errors that nobody reads: of lost work nobody does."""
    if not work.cancelled():
        work.exception()


@dataclass(slots=True)
class Leases:
    """All tasks that this process has claimed, by their number in the queue."""

    lease: timedelta
    _runs: dict[int, Run] = field(default_factory=dict)
    _held_since: dict[int, float] = field(default_factory=dict)

    def claimed(self, numbers: Iterable[int], *, at: float) -> None:
        """Tasks are ours since `at` (loop time), the moment before we asked for them."""
        self._held_since |= dict.fromkeys(numbers, at)

    def claimed_numbers(self) -> list[int]:
        """The tasks that were claimed and have not ended yet, their leases lapsed or not."""
        return list(self._held_since)

    def renewed(self, numbers: Iterable[int], *, at: float) -> None:
        """The leases of tasks were renewed; those that have ended meanwhile are passed over."""
        self._held_since |= {number: at for number in numbers if number in self._held_since}

    def held(self, numbers: Iterable[int]) -> list[int]:
        """Those of `numbers` that are still ours to renew, by this host's clock."""
        oldest = self._oldest()
        return [number for number in numbers if self._held_since.get(number, -inf) >= oldest]

    @contextmanager
    def begun(
        self, number: int, kind: str, job_id: UUID, work: asyncio.Task[Outcome]
    ) -> Iterator[Run]:
        """A claimed task is in work for the block."""
        run = self._runs[number] = Run(kind, job_id, work)
        work.add_done_callback(_look_at)
        try:
            yield run
        finally:
            del self._runs[number]

    def forget(self, number: int) -> None:
        """A task is no longer ours: its end has been reported to the queue, or never will be."""
        self._held_since.pop(number, None)

    def count(self, kind: str | None = None) -> int:
        """How many tasks are in work, of one kind or of all."""
        return sum(kind in (None, run.kind) for run in self._runs.values())

    def jobs(self, kinds: Collection[str]) -> set[UUID]:
        """The jobs that tasks of these kinds are in work for."""
        return {run.job_id for run in self._runs.values() if run.kind in kinds}

    def cancel_all(self) -> None:
        """Stop all work."""
        for run in self._runs.values():
            run.work.cancel()

    def cancel_job(self, job_id: UUID) -> None:
        """Stop all work for one job, for good."""
        for run in self._runs.values():
            if run.job_id == job_id:
                run.is_unwanted = True
                run.work.cancel()

    async def stop_lapsing(self) -> None:
        """Stop work whose lease was not renewed in time, until cancelled itself."""
        while True:
            await asyncio.sleep(self.lease.total_seconds() / JOB_STATUS_READER)
            oldest = self._oldest()
            for number, run in self._runs.items():
                if not run.is_lost and self._held_since.get(number, oldest) < oldest:
                    run.is_lost = True
                    run.work.cancel()
                    _log.warning("lease not renewed in time", job_id=str(run.job_id))

    def _oldest(self) -> float:
        """The loop time since when a task must have been renewed not to be lost."""
        return asyncio.get_running_loop().time() - GIVE_UP_AT * self.lease.total_seconds()
