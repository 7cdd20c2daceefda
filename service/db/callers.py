"""Callers in SQL: the blocklist, and how many unfinished jobs each has."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rows import typed
from service.db.tables import callers, jobs
from service.domain.jobs import ACTIVE_STATUSES

_TURNS = 0x4A0B  # class of the advisory locks on callers; the migrations take one of another kind


class KnownCaller(NamedTuple):
    """A caller that was ever blocked."""

    sub: str
    is_blocked: bool
    reason: str | None
    changed_at: datetime


class CallerStore:
    """All SQL about callers, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def blocked(self) -> frozenset[str]:
        """Subjects whose tokens are refused."""
        statement = select(callers.c.sub).where(callers.c.is_blocked)
        return frozenset((await self._conn.execute(statement)).scalars())

    async def save(self, sub: str, *, is_blocked: bool, reason: str | None = None) -> None:
        """Block or unblock `sub`."""
        statement = insert(callers).values(sub=sub, is_blocked=is_blocked, reason=reason)
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[callers.c.sub],
                set_={"is_blocked": is_blocked, "reason": reason, "changed_at": func.now()},
            )
        )

    async def list_all(self) -> Sequence[KnownCaller]:
        """Every caller that was ever blocked."""
        statement = select(*(callers.c[name] for name in KnownCaller._fields))
        return typed(KnownCaller, await self._conn.execute(statement.order_by(callers.c.sub)))

    async def count_jobs(self, sub: str | None = None, *, most: int) -> int:
        """How many jobs of `sub` (None: of all) are not finished, counted up to `most`."""
        some = select(jobs.c.id).where(jobs.c.status.in_(ACTIVE_STATUSES)).limit(most)
        if sub is not None:
            some = some.where(jobs.c.requested_by == sub)
        counted = select(func.count()).select_from(some.subquery())
        count: int = (await self._conn.execute(counted)).scalar_one()
        return count

    async def take_slot(self, sub: str) -> None:
        """Wait until no other transaction has the turn of `sub`, and keep it to the end."""
        turn = func.pg_advisory_xact_lock(_TURNS, func.hashtext(sub))
        await self._conn.execute(select(turn))
