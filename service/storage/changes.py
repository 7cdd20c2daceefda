"""Which jobs changed: PostgreSQL's announcements, and the question behind them.

Every visible change of a job is announced at its commit, with the job's id
(`jobs_announce` in the migrations). An announcement is a hint and may be lost,
with its connection or in a pooler that does not pass it on; whoever must not
miss a change asks for the versions as well.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.engine import CONNECT_TIMEOUT_SECONDS
from service.storage.pooler import LOST
from service.storage.tables import jobs

CHANNEL = "job_changed"
LISTENER = "arxiv-ingestion listener"  # in pg_stat_activity
CHECK_EVERY = timedelta(seconds=30)  # a connection that fell silent has no other sign
CHECK_DEADLINE = timedelta(seconds=5)
RETURN_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_AWAY = (*LOST, OSError, TimeoutError)

_log = structlog.get_logger(__name__)


async def versions_of(conn: AsyncConnection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The versions of the jobs that exist among `job_ids`, in one query."""
    statement = select(jobs.c.id, jobs.c.version).where(
        jobs.c.id == func.any(bindparam("ids", list(job_ids)))
    )
    return {row.id: row.version for row in (await conn.execute(statement)).all()}


async def hear(dsn: str, heard: Callable[[UUID], None]) -> None:
    """Call `heard` with the id of every job that is announced, until cancelled.

    One connection, apart from any pool. While it cannot be had nothing is heard;
    it is tried again for as long as it takes.
    """
    failures = 0
    while True:
        try:
            async with _listening(dsn, heard) as connection:
                _log.info("announcements heard")
                failures = 0
                await _until_lost(connection)
        except _AWAY as err:
            if failures == 0:
                _log.warning("announcements not heard", error=type(err).__name__)
        delay = RETURN_DELAYS_SECONDS[min(failures, len(RETURN_DELAYS_SECONDS) - 1)]
        failures += 1
        await asyncio.sleep(delay)


@asynccontextmanager
async def _listening(dsn: str, heard: Callable[[UUID], None]) -> AsyncIterator[asyncpg.Connection]:
    """A connection that listens until the end of the block."""

    def take(_: object, __: int, ___: str, payload: object) -> None:
        with suppress(ValueError):  # anybody may NOTIFY anything
            heard(UUID(str(payload)))

    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_TIMEOUT_SECONDS, server_settings={"application_name": LISTENER}
    )
    try:
        await connection.add_listener(CHANNEL, take)
        yield connection
    finally:
        connection.terminate()  # there is nothing to say to the server, and it may not answer


async def _until_lost(connection: asyncpg.Connection) -> None:
    """Return (or raise, as the driver does) when the connection no longer serves."""
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    while not connection.is_closed():
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_EVERY.total_seconds()):
                await lost.wait()
        if not lost.is_set():
            await connection.execute("SELECT 1", timeout=CHECK_DEADLINE.total_seconds())
    raise ConnectionResetError
