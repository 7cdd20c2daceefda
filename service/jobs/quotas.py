"""Quotas: unfinished jobs of each caller (exact), and of all (approximate).

A caller's unfinished jobs are counted in the transaction that adds one; near
the quota its submits take turns, so that no replica overlooks another's. The
count of all would be too dear for that: it is looked up every second, and this
process adds what it has accepted since.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.callers import CallerStore
from service.db.engine import Database
from service.domain.errors import DatabaseUnavailable, Overloaded, QuotaExceeded

LOOK_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 30  # nobody knows when a job will end
MARGIN = 100  # submits of one caller that may be on their way at once, over all replicas
MOST_RANKED = 10_000  # without a quota, further jobs of one caller rank alike


@dataclass(slots=True)
class Quotas:
    """Decides for one process; `per_caller` and `in_all` are unfinished jobs, 0: no limit."""

    per_caller: int = 0
    in_all: int = 0
    _looked: int = 0
    _since: int = 0

    async def admit(self, conn: AsyncConnection, caller: str) -> int:
        """How many unfinished jobs `caller` has, if there is room for one more.

        Raises QuotaExceeded and Overloaded. Until the transaction ends, other
        submits of a caller near its quota wait.
        """
        self.require_room()
        most = self.per_caller or MOST_RANKED
        store = CallerStore(conn)
        active = await store.count_jobs(caller, most=most)
        if not self.per_caller:
            return active
        if active + MARGIN >= self.per_caller:
            await store.take_slot(caller)
            active = await store.count_jobs(caller, most=most)
        if active >= self.per_caller:
            raise QuotaExceeded(
                "Too many of your jobs are unfinished",
                quota=self.per_caller,
                retry_after=RETRY_AFTER_SECONDS,
            )
        return active

    def require_room(self) -> None:
        """Raise Overloaded if there are as many jobs as there may be, as far as is known here."""
        if self.in_all and self._looked + self._since >= self.in_all:
            raise Overloaded("Too many jobs are waiting", retry_after=RETRY_AFTER_SECONDS)

    def note_accepted(self) -> None:
        """One more has been committed by this process."""
        self._since += 1

    async def look(self, database: Database) -> None:
        """Count all unfinished jobs now, if they are bounded; raises DatabaseUnavailable."""
        if not self.in_all:
            return
        before = self._since
        async with database.transaction() as conn:
            self._looked = await CallerStore(conn).count_jobs(most=self.in_all)
        self._since -= before

    async def watch(self, database: Database) -> None:
        """Keep looking until cancelled."""
        while True:
            with suppress(DatabaseUnavailable):  # who submits meanwhile is told so anyway
                await self.look(database)
            await asyncio.sleep(LOOK_EVERY_SECONDS)
