"""Blocklist: blocked callers in memory, refreshed from the database.

A query for each request would cost more than the request; a refresh every half
second is enough for "blocked within a second" and costs nothing. Until the
list has been read once nobody is let in: anybody might be blocked.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from service.db.callers import CallerStore
from service.db.engine import Database
from service.domain.errors import DatabaseUnavailable, Unauthenticated

LOOK_EVERY = timedelta(milliseconds=500)
START_PATIENCE = timedelta(seconds=2)  # of a process that starts, for a server that hangs

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Blocklist:
    """The blocked callers as of the last refresh; `watch` keeps refreshing.

    While the database is unavailable the last known list stays in force.
    """

    database: Database
    _blocked: frozenset[str] | None = None  # before the first good refresh

    @property
    def are_known(self) -> bool:
        """Whether there has been a good refresh."""
        return self._blocked is not None

    def is_active(self, sub: str) -> bool:
        """True when it is known that no operator has blocked `sub`."""
        return self._blocked is not None and sub not in self._blocked

    def require_active(self, sub: str) -> None:
        """Raise Unauthenticated if `sub` is blocked, DatabaseUnavailable before that is known."""
        if self.is_active(sub):
            return
        if self._blocked is None:
            raise DatabaseUnavailable("the database is not available")
        raise Unauthenticated("blocked")

    async def look(self, *, within: timedelta | None = None) -> None:
        """Read the list now; raises DatabaseUnavailable, after `within` at the latest."""
        seconds = None if within is None else within.total_seconds()
        async with self.database.transaction(within=seconds) as conn:
            self._blocked = await CallerStore(conn).blocked()

    async def load(self) -> None:
        """Read the list before anybody asks, if the database answers soon."""
        with suppress(DatabaseUnavailable):  # `watch` says so, and tries again
            await self.look(within=START_PATIENCE)

    async def watch(self) -> None:
        """Keep looking until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseUnavailable:
                _log.debug("blocklist not refreshed")
            await asyncio.sleep(LOOK_EVERY.total_seconds())
