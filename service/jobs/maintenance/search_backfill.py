"""Search backfill: words of papers and texts that were stored before there was the search.

Steps of a fraction of a second, with pauses as long as they, for a part of each round
of maintenance; a crash repeats at most one.
"""

import asyncio
from datetime import timedelta
from time import monotonic

import structlog

from service.db.engine import Database
from service.db.search_backfill import SearchBackfillStore

ROUND = timedelta(seconds=10)

_log = structlog.get_logger(__name__)


async def backfill_search(database: Database, *, within: timedelta = ROUND) -> dict[str, int]:
    """Do the next steps, for so long; returns table → rows looked at.

    Raises DatabaseUnavailable; what was done till then stays done.
    """
    ends_at = monotonic() + within.total_seconds()
    rows: dict[str, int] = {}
    while monotonic() < ends_at:
        began = monotonic()
        async with database.transaction() as conn:
            step = await SearchBackfillStore(conn).step()
        if step is None:
            break
        rows[step.table] = rows.get(step.table, 0) + step.rows
        if step.is_last:
            _log.info("search backfill finished", table=step.table)
        await asyncio.sleep(monotonic() - began)
    return rows
