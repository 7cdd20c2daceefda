"""Retention in SQL: deletes old jobs in steps that lock few rows for a short time.

Each step is one transaction and leaves sound rows, so whoever dies in between has
only done less, and the next step of anybody goes on. The database clock decides
what is old.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Table,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Uuid

from service.db.job_event_tables import job_events, job_intervals
from service.db.tables import job_errors, job_papers, jobs
from service.domain.jobs import ACTIVE_STATUSES

JOBS_AT_ONCE = 500
ROWS_AT_ONCE = 5_000  # of each table
REMOVER = 8_401_207_355_021_117  # the advisory lock of whoever removes; any number of its own

_ENTRIES = (job_papers, job_errors, job_events, job_intervals)  # what belongs to a job alone


class Removed(NamedTuple):
    """How many rows went."""

    jobs: int = 0
    job_papers: int = 0
    job_errors: int = 0
    job_events: int = 0
    job_intervals: int = 0

    def plus(self, more: "Removed") -> "Removed":
        """Both together."""
        return Removed(*map(sum, zip(self, more, strict=True)))


class RetentionStore:
    """SQL that removes jobs for good, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def is_alone(self) -> bool:
        """True when nobody else in the fleet removes; then nobody will until this commits."""
        statement = text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=REMOVER)
        return bool((await self._conn.execute(statement)).scalar_one())

    async def lock_old(self, *, older_than: timedelta) -> Sequence[UUID]:
        """Lock jobs that have been finished for so long, the oldest first; returns their ids.

        Left out are those that somebody else has locked (who retries one has), and
        those that a job which is not finished retries: it reads their papers.
        """
        retries = jobs.alias("retries")
        is_retried = exists().where(
            retries.c.retry_of == jobs.c.id, retries.c.status.in_(ACTIVE_STATUSES)
        )
        statement = (
            select(jobs.c.id)
            .where(jobs.c.completed_at < func.now() - older_than, ~is_retried)
            .order_by(jobs.c.completed_at)
            .limit(JOBS_AT_ONCE)
            .with_for_update(of=jobs, skip_locked=True)
        )
        return (await self._conn.execute(statement)).scalars().all()

    async def remove(self, job_ids: Sequence[UUID]) -> Removed:
        """Remove of these locked jobs as much as one step may.

        A job goes with the last of its papers, errors and events; of a large one a step
        takes only some of these. Schedules and retries that name a job that went
        name none afterwards.
        """
        of_these = bindparam("ids", list(job_ids), type_=ARRAY(Uuid()))
        entries = [await self._remove_some(table, of_these) for table in _ENTRIES]
        emptied = delete(jobs).where(
            jobs.c.id == func.any(of_these),
            *(~exists().where(table.c.job_id == jobs.c.id) for table in _ENTRIES),
        )
        return Removed(await self._count(emptied), *entries)

    async def _remove_some(self, table: Table, of_these: BindParameter[Any]) -> int:
        """Remove some rows that belong to these jobs, found by index and taken by their place.

        A row that changes meanwhile is at another place then; the next step has it.
        """
        place: ColumnElement[Any] = literal_column(f"{table.name}.ctid")
        some = (
            select(place)
            .where(table.c.job_id == func.any(of_these))
            .order_by(table.c.job_id)
            .limit(ROWS_AT_ONCE)
        )
        return await self._count(
            delete(table).where(place == func.any(func.array(some.scalar_subquery())))
        )

    async def _count(self, statement: Delete) -> int:
        return (await self._conn.execute(statement)).rowcount
