"""Readiness check of the database in one transaction: schema, writes, workers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.migrate import current_revision, head_revision
from service.db.workers import WorkerStore

_READ_ONLY = select(func.current_setting("transaction_read_only"))


@dataclass(frozen=True, slots=True)
class Health:
    """How the database is: `is_current` of its schema; the others only if that is so.

    `workers` are alive; `last_heartbeat` is of any worker, None if there is no trace of one.
    """

    is_current: bool
    is_read_only: bool = False
    workers: int = 0
    last_heartbeat: datetime | None = None


async def health_of(conn: AsyncConnection) -> Health:
    """Look at the database; a session that is read-only is used for the last time.

    It may be older than the end of that state, which only new sessions see.
    """
    if await conn.run_sync(current_revision) != head_revision():
        return Health(is_current=False)
    is_read_only = (await conn.execute(_READ_ONLY)).scalar_one() == "on"
    workers = WorkerStore(conn)
    found = Health(True, is_read_only, await workers.count_alive(), await workers.last_heartbeat())
    if is_read_only:
        (await conn.get_raw_connection()).invalidate(soft=True)
    return found
