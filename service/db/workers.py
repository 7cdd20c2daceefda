"""Worker processes in SQL: heartbeats, who is alive, and what waits that nobody claims.

A worker is alive while its heartbeat is younger than two of its leases, by the
database clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import fleet_counters, workers

STALLS = "stalls"
SILENT_LEASES = 2
KEPT = timedelta(hours=1)  # the row of one that died: long enough to be looked at

_ALIVE: ColumnElement[bool] = (
    workers.c.heartbeat_at
    > func.now() - SILENT_LEASES * func.make_interval(0, 0, 0, 0, 0, 0, workers.c.lease_seconds)
)
_OVERDUE = text(
    """
    SELECT entrypoint AS kind,
        count(*) FILTER (WHERE is_due) AS due,
        count(*) FILTER (WHERE status = 'picked') AS running,
        coalesce(extract(epoch FROM now() - min(since) FILTER (WHERE is_due)), 0)::float8 AS seconds
    FROM (
        SELECT entrypoint, status, since, since < now() - CAST(:age AS interval) AS is_due
        FROM (
            SELECT entrypoint, status,
                CASE status WHEN 'queued' THEN execute_after
                ELSE heartbeat + CAST(:lease AS interval) END AS since
            FROM pgqueuer WHERE status IN ('queued', 'picked')
        ) AS task
    ) AS judged
    GROUP BY entrypoint
    """
)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker process as it last reported."""

    host: str
    pid: int
    version: str
    heartbeat_at: datetime
    tasks: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Tasks of one kind: `due` for longer than was asked, the oldest for `seconds`; `running`."""

    kind: str
    due: int
    running: int
    seconds: float


class WorkerStore:
    """All SQL on `workers` and `fleet_counters`, on a connection that is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def beat(
        self, worker_id: UUID, *, host: str, pid: int, version: str, lease: timedelta, tasks: int
    ) -> None:
        """Note that a worker is alive and has `tasks` in hand."""
        statement = insert(workers).values(
            id=worker_id,
            host=host,
            pid=pid,
            version=version,
            lease_seconds=lease.total_seconds(),
            tasks=tasks,
        )
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[workers.c.id],
                set_={"heartbeat_at": func.now(), "tasks": statement.excluded.tasks},
            )
        )

    async def remove(self, worker_id: UUID) -> None:
        """Forget a worker that ends in order."""
        await self._conn.execute(delete(workers).where(workers.c.id == worker_id))

    async def remove_silent(self, *, kept: timedelta = KEPT) -> int:
        """Forget workers that died that long ago; returns how many."""
        gone = delete(workers).where(workers.c.heartbeat_at < func.now() - kept)
        return (await self._conn.execute(gone)).rowcount

    async def count_alive(self) -> int:
        """How many workers are alive."""
        alive = select(func.count()).select_from(workers).where(_ALIVE)
        return int((await self._conn.execute(alive)).scalar_one())

    async def list_alive(self) -> Sequence[WorkerRow]:
        """Workers that are alive, by host and pid."""
        columns = (getattr(workers.c, name) for name in WorkerRow.__slots__)
        statement = select(*columns).where(_ALIVE).order_by(workers.c.host, workers.c.pid)
        return [WorkerRow(*row) for row in (await self._conn.execute(statement)).all()]

    async def last_heartbeat(self) -> datetime | None:
        """When the last worker was heard of; None if there is no trace of any."""
        statement = select(func.max(workers.c.heartbeat_at))
        moment: datetime | None = (await self._conn.execute(statement)).scalar_one()
        return moment

    async def list_overdue(self, *, age: timedelta, lease: timedelta) -> list[Overdue]:
        """Per kind, what has been due for `age`, or lies under an expired lease for so long."""
        rows = await self._conn.execute(_OVERDUE, {"age": age, "lease": lease})
        return [Overdue(row.kind, row.due, row.running, row.seconds) for row in rows]

    async def count_stall(self) -> None:
        """One more stall."""
        statement = insert(fleet_counters).values(name=STALLS, value=1)
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[fleet_counters.c.name],
                set_={"value": fleet_counters.c.value + 1},
            )
        )

    async def stalls(self) -> int:
        """How many stalls there were, ever, on any replica."""
        statement = select(fleet_counters.c.value).where(fleet_counters.c.name == STALLS)
        return int((await self._conn.execute(statement)).scalar() or 0)
