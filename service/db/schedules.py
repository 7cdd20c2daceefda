"""Schedules in SQL; whoever locks the row runs it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    not_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import callers, jobs, schedules
from service.domain.errors import Conflict, NotFound
from service.domain.jobs import ACTIVE_STATUSES, JobStatus
from service.domain.schedules import Schedule

_DAY_LENGTH = len("2026-11-22")


class ScheduleStore:
    """All SQL on `schedules`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def now(self) -> datetime:
        """The moment of this transaction."""
        moment: datetime = (await self._conn.execute(select(func.now()))).scalar_one()
        return moment

    async def add(self, values: Mapping[str, Any]) -> Schedule:
        """Record a schedule; raises Conflict when there is one of that name."""
        return await self._written(insert(schedules).values(**values))

    async def get(self, schedule_id: UUID, *, lock: bool = False) -> Schedule:
        """One schedule, locked if asked for; raises NotFound."""
        statement = _rows().where(schedules.c.id == schedule_id)
        found = await self._first(statement.with_for_update() if lock else statement)
        if found is None:
            raise NotFound("Schedule not found", code="schedule_not_found")
        return found

    async def list_all(self, *, limit: int, after: str = "") -> Sequence[Schedule]:
        """Schedules by name, behind the name `after`, at most `limit`."""
        statement = _rows().where(schedules.c.name > after).order_by(schedules.c.name).limit(limit)
        return [_schedule(row) for row in (await self._conn.execute(statement)).all()]

    async def count_of(self, caller: str) -> int:
        """How many schedules `caller` has made that are still there."""
        mine = select(func.count()).select_from(schedules).where(schedules.c.created_by == caller)
        count: int = (await self._conn.execute(mine)).scalar_one()
        return count

    async def change(self, schedule_id: UUID, values: Mapping[str, Any]) -> Schedule:
        """Change a schedule that this transaction has locked; raises Conflict as `add` does."""
        statement = update(schedules).where(schedules.c.id == schedule_id)
        return await self._written(statement.values(**values))

    async def remove(self, schedule_id: UUID) -> None:
        """Remove a schedule; its jobs stay."""
        await self._conn.execute(delete(schedules).where(schedules.c.id == schedule_id))

    async def take_due(self) -> Schedule | None:
        """Lock the schedule that is due for longest, or has no next run yet; None: there is none.

        Those that another worker has locked, that are paused or whose maker is
        blocked are passed over.
        """
        # as the index has it: one without a next run comes first
        due_at = func.coalesce(schedules.c.next_run_at, text("'-infinity'::timestamptz"))
        return await self._first(_taken().where(due_at <= func.now()).order_by(due_at))

    async def take_missed(self) -> Schedule | None:
        """Lock a schedule with a moment to make up for, whose last job is finished; None: none.

        Those are passed over that `take_due` passes over.
        """
        unfinished = exists().where(
            jobs.c.id == schedules.c.last_job_id, jobs.c.status.in_(ACTIVE_STATUSES)
        )
        statement = _taken().where(schedules.c.missed_at.is_not(None), ~unfinished)
        return await self._first(statement.order_by(schedules.c.missed_at))

    async def unfinished_job(self, schedule: Schedule) -> JobStatus | None:
        """The status of its last job if that is not finished."""
        active = jobs.c.id == schedule.last_job_id, jobs.c.status.in_(ACTIVE_STATUSES)
        status = (await self._conn.execute(select(jobs.c.status).where(*active))).scalar()
        return None if status is None else JobStatus(status)

    async def has_submitted(self, schedule_id: UUID, job_id: UUID) -> bool:
        """Whether the job is a run of the schedule."""
        run = exists().where(jobs.c.id == job_id, jobs.c.schedule_id == schedule_id)
        return bool((await self._conn.execute(select(run))).scalar_one())

    async def last_success(self, schedule_id: UUID) -> date | None:
        """The UTC day before that on which its last completed job was created.

        An earlier one if that job could not be sure of what it listed (`unproven_from`);
        None if no job has completed.
        """
        statement = (
            select(jobs.c.created_at, jobs.c.facts["unproven_from"].astext.label("unproven"))
            .where(jobs.c.schedule_id == schedule_id, jobs.c.status == JobStatus.COMPLETED)
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(1)
        )
        row = (await self._conn.execute(statement)).first()
        if row is None:
            return None
        before: date = row.created_at.date() - timedelta(days=1)  # sessions are in UTC
        return min(before, _day(row.unproven) or before)

    async def _first(self, statement: Select[Any]) -> Schedule | None:
        row = (await self._conn.execute(statement)).first()
        return None if row is None else _schedule(row)

    async def _written(self, statement: Any) -> Schedule:  # noqa: ANN401 - insert or update
        try:
            answer = await self._conn.execute(statement.returning(*_shown()))
        except IntegrityError as err:
            raise Conflict("There is a schedule of this name already") from err
        return _schedule(answer.one())


def _shown() -> list[ColumnElement[Any]]:
    return [*schedules.c, func.now().label("now")]


def _rows() -> Select[Any]:
    return select(*_shown())


def _taken() -> Select[Any]:
    """One schedule that may run, locked."""
    blocked = exists().where(callers.c.sub == schedules.c.created_by, callers.c.is_blocked)
    may_run = not_(schedules.c.is_paused), ~blocked
    return _rows().where(*may_run).limit(1).with_for_update(skip_locked=True, of=schedules)


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(**row._mapping)


def _day(text: str | None) -> date | None:
    """The day that a job's facts name; None where an operator has written something else."""
    try:
        return date.fromisoformat((text or "")[:_DAY_LENGTH])
    except ValueError:
        return None
