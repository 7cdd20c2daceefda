"""Which callers are blocked, known in memory and never older than a moment.

A query for each request would cost more than the request; a look every half
second is enough for "blocked within a second" and costs nothing.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from service.domain.errors import DatabaseAway
from service.storage.callers import CallerStore
from service.storage.engine import Database

LOOK_EVERY = timedelta(milliseconds=500)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ActiveCallers:
    """The blocked callers as of the last look; `watch` keeps looking.

    While the database is away the last known list stays in force.
    """

    database: Database
    _blocked: frozenset[str] = frozenset()

    def is_active(self, sub: str) -> bool:
        """True unless an operator has blocked `sub`."""
        return sub not in self._blocked

    async def look(self) -> None:
        """Read the list now; raises DatabaseAway."""
        async with self.database.transaction() as conn:
            self._blocked = await CallerStore(conn).blocked()

    async def watch(self) -> None:
        """Keep looking until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseAway:
                _log.warning("blocked callers not refreshed")
            await asyncio.sleep(LOOK_EVERY.total_seconds())
