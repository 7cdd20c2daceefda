"""Blocked callers in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.tables import callers


class CallerStore:
    """All SQL on `callers`, on a connection whose transaction is the caller's."""

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

    async def list_all(self) -> Sequence[Row[Any]]:
        """Every caller that was ever blocked: sub, is_blocked, reason, changed_at."""
        return (await self._conn.execute(select(callers).order_by(callers.c.sub))).all()
