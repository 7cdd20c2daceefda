"""The change feed is put in order where nobody reads it, and trimmed at its beginning."""

from datetime import timedelta

from service.db.engine import Database
from service.db.paper_changes import TRIMMED_AT_ONCE, ChangeStore

MOST_STEPS = 20  # transactions; the next round goes on


async def tend_changes(database: Database, *, older_than: timedelta | None) -> int:
    """Order what has been committed, and remove what is older; returns how many changes went.

    `older_than` None: all is kept. Raises DatabaseUnavailable; what was removed till then
    stays removed.
    """
    async with database.transaction() as conn:
        await ChangeStore(conn).order()
    removed = 0
    for _ in range(MOST_STEPS if older_than is not None else 0):
        assert older_than is not None
        async with database.transaction() as conn:
            step = await ChangeStore(conn).trim(older_than=older_than)
        removed += step
        if step < TRIMMED_AT_ONCE:
            break
    return removed
