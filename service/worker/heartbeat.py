"""Worker heartbeat and stall detector: a row in `workers`, and an error when nothing is claimed.

A stall: tasks have been due for two leases, this worker has had free places all that
time, and it has claimed nothing. That is never right, whatever the cause, so it is
logged when it begins and when it ends, and counted for the metrics.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import structlog

from service import __version__
from service.db.engine import Database
from service.db.workers import Overdue, WorkerStore
from service.domain.errors import DatabaseUnavailable
from service.worker.engine import Engine
from service.worker.task import Kind

LONGEST_BEAT_SECONDS = 5.0
BEATS_PER_LEASE = 3
STALL_LEASES = 2
LEAVE_SECONDS = 0.5  # for the row to be removed at the end

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StallDetector:
    """Which kinds of task this worker fails to claim; `look` at what is overdue now and then.

    `kinds` are those it runs. Times are in seconds of the event loop's clock.
    """

    kinds: Sequence[Kind]
    lease: timedelta
    _busy_at: dict[str, float] = field(default_factory=dict)
    _stalled_since: dict[str, float] = field(default_factory=dict)

    def forgive(self, now: float) -> None:
        """The database could not be asked: that nothing was claimed until `now` is no wonder."""
        self._busy_at = dict.fromkeys((kind.name for kind in self.kinds), now)

    def idle(self, engine: Engine, now: float) -> list[Kind]:
        """The kinds with free places of which nothing was claimed for two leases.

        The first call starts the clock.
        """
        for kind in self.kinds:
            is_full = engine.count_in_work(kind) >= kind.concurrency
            before = now if is_full or not engine.is_taking else self._busy_at.get(kind.name, now)
            self._busy_at[kind.name] = max(before, engine.claimed_at(kind))
        oldest = now - STALL_LEASES * self.lease.total_seconds()
        return [kind for kind in self.kinds if self._busy_at[kind.name] <= oldest]

    def judge(self, idle: Sequence[Kind], overdue: Sequence[Overdue], now: float) -> int:
        """Log the stalls that begin and end; returns how many have begun."""
        by_kind = {row.kind: row for row in overdue}
        stalled = {
            kind.name: by_kind[kind.name]
            for kind in idle
            if kind.name in by_kind and _waits_for_nothing(kind, by_kind[kind.name])
        }
        begun = stalled.keys() - self._stalled_since.keys()
        for name in begun:
            self._stalled_since[name] = now
            row = stalled[name]
            _log.error("worker stalled", kind=name, due=row.due, seconds=round(row.seconds, 1))
        for name in self._stalled_since.keys() - stalled.keys():
            seconds = round(now - self._stalled_since.pop(name), 1)
            _log.info("worker no longer stalled", kind=name, seconds=seconds)
        return len(begun)


def _waits_for_nothing(kind: Kind, row: Overdue) -> bool:
    """True when tasks are due and the fleet has room for them."""
    limit = kind.fleet_concurrency
    return row.due > 0 and not (limit and row.running >= limit)


async def keep_heartbeat(engine: Engine, database: Database) -> None:
    """Report this worker in `workers`, and look for stalls, until cancelled; then remove it."""
    worker_id, detector = uuid4(), StallDetector(engine.kinds, engine.lease)
    beat = min(LONGEST_BEAT_SECONDS, engine.lease.total_seconds() / BEATS_PER_LEASE)
    try:
        while True:
            try:
                await _beat(engine, database, worker_id, detector)
            except DatabaseUnavailable:
                detector.forgive(asyncio.get_running_loop().time())
            await asyncio.sleep(beat)
    finally:
        with suppress(DatabaseUnavailable):
            async with database.transaction(within=LEAVE_SECONDS) as conn:
                await WorkerStore(conn).remove(worker_id)


async def _beat(
    engine: Engine, database: Database, worker_id: UUID, detector: StallDetector
) -> None:
    async with database.transaction() as conn:
        store = WorkerStore(conn)
        await store.beat(
            worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            lease=engine.lease,
            tasks=engine.count_in_work(),
        )
        now = asyncio.get_running_loop().time()
        idle = detector.idle(engine, now)
        overdue: list[Overdue] = []
        if idle:  # else there is no need to look at the whole queue
            overdue = await store.list_overdue(age=STALL_LEASES * engine.lease, lease=engine.lease)
        for _ in range(detector.judge(idle, overdue, now)):
            await store.count_stall()
