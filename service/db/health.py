"""What a probe asks of the database, in one transaction: schema, writes, workers, arXiv."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rate_limits import RateLimitStore
from service.db.revision import current_revision, head_revision
from service.db.workers import WorkerStore
from service.domain.channels import ChannelState

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
    channels: Sequence[ChannelState] = ()


async def is_read_only(conn: AsyncConnection) -> bool:
    """Whether this session accepts no writes."""
    return bool((await conn.execute(_READ_ONLY)).scalar_one() == "on")


async def health_of(conn: AsyncConnection) -> Health:
    """Look at the database; a session that is read-only is used for the last time.

    It may be older than the end of that state, which only new sessions see.
    """
    if await current_revision(conn) != head_revision():
        return Health(is_current=False)
    workers = WorkerStore(conn)
    found = Health(
        is_current=True,
        is_read_only=await is_read_only(conn),
        workers=await workers.count_alive(),
        last_heartbeat=await workers.last_heartbeat(),
        channels=await RateLimitStore(conn).channels(),
    )
    if found.is_read_only:
        (await conn.get_raw_connection()).invalidate(soft=True)
    return found
