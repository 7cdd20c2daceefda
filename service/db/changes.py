"""Job change feed: PostgreSQL notifications, and the query for versions behind them.

Every visible change of a job is announced at its commit, with the job's id
(`jobs_announce` in the migrations). An announcement is a hint and may be lost;
whoever must not miss a change asks for the versions as well.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.notifications import listen
from service.db.tables import jobs

CHANNEL = "job_changed"
LISTENER = "arxiv-ingestion listener"


async def hear(database: Database, heard: Callable[[UUID], None]) -> None:
    """Call `heard` with the id of every job that is announced, until cancelled; see `listen`."""

    def take(payload: str) -> None:
        with suppress(ValueError):  # anybody may NOTIFY anything
            heard(UUID(payload))

    await listen(database.dsn, CHANNEL, take, name=LISTENER, outages=database.outages)


async def versions_of(conn: AsyncConnection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The versions of the jobs that exist among `job_ids`, in one query."""
    statement = select(jobs.c.id, jobs.c.version).where(
        jobs.c.id == func.any(bindparam("ids", list(job_ids)))
    )
    return {row.id: row.version for row in (await conn.execute(statement)).all()}
