"""Retention: deletes jobs that finished long ago, and the beginning of the change feed.

Papers, PDFs and texts are kept.

One transaction removes a few thousand rows, and one process of the fleet does so
at a time. What a crash or a database that became unavailable leaves is found by the next
step: a job whose entries are gone only in part still is an old job.
"""

from datetime import timedelta

from service.db.engine import Database
from service.db.paper_changes import TRIMMED_AT_ONCE, ChangeStore
from service.db.retention import Removed, RetentionStore

TRIMS_AT_ONCE = 20  # transactions; the next round goes on


async def remove_old_jobs(
    database: Database, *, older_than: timedelta, most_steps: int | None = None
) -> Removed:
    """Remove the jobs that have been finished for so long; returns how many rows went.

    Ends after `most_steps` transactions (None: when nothing is left), or at once
    when somebody else is at it. A job that is being retried stays until the retry
    is finished. Raises DatabaseUnavailable; what was removed till then stays removed.
    """
    removed, steps = Removed(), 0
    while most_steps is None or steps < most_steps:
        steps += 1
        step = await _step(database, older_than)
        if not any(step):
            break
        removed = removed.plus(step)
    return removed


async def _step(database: Database, older_than: timedelta) -> Removed:
    async with database.transaction() as conn:
        store = RetentionStore(conn)
        if not await store.is_alone():
            return Removed()
        old = await store.lock_old(older_than=older_than)
        return await store.remove(old) if old else Removed()


async def tend_changes(database: Database, *, older_than: timedelta | None) -> int:
    """Order what has been committed, and remove what is older; returns how many changes went.

    `older_than` None: all is kept. Raises DatabaseUnavailable; what was removed till then
    stays removed.
    """
    async with database.transaction() as conn:
        await ChangeStore(conn).order()
    removed = 0
    for _ in range(TRIMS_AT_ONCE if older_than is not None else 0):
        assert older_than is not None
        async with database.transaction() as conn:
            step = await ChangeStore(conn).trim(older_than=older_than)
        removed += step
        if step < TRIMMED_AT_ONCE:
            break
    return removed
