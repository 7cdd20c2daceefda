"""Search index upkeep: what texts have added to its pending list is merged every 15 seconds.

PostgreSQL would do so when the list is full, in the transaction of whoever stores the
next text, or with the next autovacuum. Searches read the list from end to end, so it
must not become long.
"""

from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from service.db.engine import Database
from service.db.search_backfill import SearchIndexStore
from service.domain.errors import Overloaded

MERGE_EVERY = timedelta(seconds=15)
_MERGE_SECONDS = 30.0  # of the transaction; so long that it is the statement that ends first


async def merge_new_words(database: Database) -> int:
    """Merge the pending list; returns how many of its pages went.

    0 if another process is at it, or if it takes too long: what is merged till then
    stays merged, and the next call goes on. Raises DatabaseUnavailable.
    """
    try:
        async with database.transaction(within=_MERGE_SECONDS) as conn:
            return await SearchIndexStore(conn).merge()
    except Overloaded:
        return 0


@dataclass(slots=True)
class IndexMerge:
    """Merges once in a while, however often it is called."""

    database: Database
    _due_at: float = 0.0

    async def step(self) -> int:
        """Merge if it is time; returns how many pages went. Raises DatabaseUnavailable."""
        if monotonic() < self._due_at:
            return 0
        self._due_at = monotonic() + MERGE_EVERY.total_seconds()
        return await merge_new_words(self.database)
