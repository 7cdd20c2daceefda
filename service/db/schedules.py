"""Schedules in SQL; whoever locks the row runs it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, insert, not_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import callers, schedules
from service.domain.errors import Conflict, NotFound


class ScheduleStore:
    """All SQL on `schedules`, on a connection whose transaction is the caller's.

    Rows are those of the table, with `now`, the moment of the transaction by the
    database's clock.
    """

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def now(self) -> Any:  # noqa: ANN401 - an aware datetime
        """The moment of this transaction."""
        return (await self._conn.execute(select(func.now()))).scalar_one()

    async def add(self, values: Mapping[str, Any]) -> Row[Any]:
        """Record a schedule; raises Conflict when there is one of that name."""
        return await self._written(insert(schedules).values(**values))

    async def get(self, schedule_id: UUID, *, lock: bool = False) -> Row[Any]:
        """One schedule, locked if asked for; raises NotFound."""
        statement = _rows().where(schedules.c.id == schedule_id)
        chosen = statement.with_for_update() if lock else statement
        row: Row[Any] | None = (await self._conn.execute(chosen)).first()
        if row is None:
            raise NotFound("Schedule not found", code="schedule_not_found")
        return row

    async def list_all(self, *, limit: int, after: str = "") -> Sequence[Row[Any]]:
        """Schedules by name, behind the name `after`, at most `limit`."""
        statement = _rows().where(schedules.c.name > after).order_by(schedules.c.name).limit(limit)
        found: Sequence[Row[Any]] = (await self._conn.execute(statement)).all()
        return found

    async def count_of(self, caller: str) -> int:
        """How many schedules `caller` has made that are still there."""
        mine = select(func.count()).select_from(schedules).where(schedules.c.created_by == caller)
        count: int = (await self._conn.execute(mine)).scalar_one()
        return count

    async def change(self, schedule_id: UUID, values: Mapping[str, Any]) -> Row[Any]:
        """Change a schedule that this transaction has locked; raises Conflict as `add` does."""
        statement = update(schedules).where(schedules.c.id == schedule_id)
        return await self._written(statement.values(**values))

    async def remove(self, schedule_id: UUID) -> None:
        """Remove a schedule; its jobs stay."""
        await self._conn.execute(delete(schedules).where(schedules.c.id == schedule_id))

    async def take_due(self) -> Row[Any] | None:
        """Lock the schedule that is due for longest, or has no next run yet; None: there is none.

        Those that another worker has locked, that are paused or whose maker is
        blocked are passed over.
        """
        blocked = select(callers.c.sub).where(
            callers.c.sub == schedules.c.created_by, callers.c.is_blocked
        )
        # as the index has it: one without a next run comes first
        due_at = func.coalesce(schedules.c.next_run_at, text("'-infinity'::timestamptz"))
        statement = (
            _rows()
            .where(not_(schedules.c.is_paused), due_at <= func.now(), ~blocked.exists())
            .order_by(due_at)
            .limit(1)
            .with_for_update(skip_locked=True, of=schedules)
        )
        due: Row[Any] | None = (await self._conn.execute(statement)).first()
        return due

    async def _written(self, statement: Any) -> Row[Any]:  # noqa: ANN401 - insert or update
        try:
            answer = await self._conn.execute(statement.returning(*_shown()))
        except IntegrityError as err:
            raise Conflict("There is a schedule of this name already") from err
        row: Row[Any] = answer.one()
        return row


def _shown() -> list[Any]:
    return [*schedules.c, func.now().label("now")]


def _rows() -> Select[Any]:
    return select(*_shown())
