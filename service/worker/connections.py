"""Database connections of the queue engine: one in a transaction, one with retry.

Both are PgQueuer's `Driver` without knowing it, so that the engine module stays
the only one that does.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from itertools import chain, repeat
from typing import Self, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.domain.errors import DatabaseUnavailable

ASK_AGAIN_SECONDS = (0.1, 0.2, 0.5, 1.0)
LAST_WORDS_SECONDS = 2.0  # for each query of a drain: the process is to end in time

T = TypeVar("T")
Heard = Callable[[str | bytes | bytearray], None]


class TransactionDriver:
    """PgQueuer's driver over an AsyncConnection: tasks commit with the rows they belong to."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of `query`."""
        return [dict(row) for row in (await self._conn.exec_driver_sql(query, args)).mappings()]

    async def execute(self, query: str, *args: object) -> str:
        """Run `query`."""
        return str((await self._conn.exec_driver_sql(query, args)).rowcount)


class RetryingDriver:
    """PgQueuer's driver over a `Database`: reads are repeated until they are answered.

    A claim whose answer was lost is a claimed row whose lease lapses.
    """

    def __init__(self, database: Database, draining: asyncio.Event, heard_by: set[Heard]) -> None:
        self._database = database
        self._draining = draining
        self._heard_by = heard_by
        self._callbacks: list[Heard] = []
        self.asked_at = 0.0  # loop time; when the read that was answered last was sent

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of `query`; raises DatabaseUnavailable in a drain only."""

        async def ask() -> list[dict[str, object]]:
            self.asked_at = asyncio.get_running_loop().time()
            async with self._transaction() as conn:
                return await TransactionDriver(conn).fetch(query, *args)

        return await self.with_retry(ask)

    async def execute(self, query: str, *args: object) -> str:
        """Run `query`, once."""
        async with self._transaction() as conn:
            return await TransactionDriver(conn).execute(query, *args)

    async def with_retry(self, ask: Callable[[], Awaitable[T]], *, most: int | None = None) -> T:
        """What `ask` returns, asked `most` times or until answered; in a drain once more."""
        delays = chain(ASK_AGAIN_SECONDS, repeat(ASK_AGAIN_SECONDS[-1]))
        for number, delay in enumerate(delays, 1):
            try:
                return await ask()
            except DatabaseUnavailable:
                if number == most or self._draining.is_set():
                    raise
            await wait_for(self._draining, delay)
        raise AssertionError("it repeats for ever")

    async def add_listener(self, _: str, callback: Heard) -> None:
        """Pass on what is notified, until the manager ends."""
        self._callbacks.append(callback)
        self._heard_by.add(callback)

    async def __aenter__(self) -> Self:
        """Begin to be used by a manager."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Pass on nothing any more."""
        self._heard_by.difference_update(self._callbacks)

    def _transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        within = LAST_WORDS_SECONDS if self._draining.is_set() else None
        return self._database.transaction(within=within)


def gives_work(payload: str) -> bool:
    """False for the announcement that tasks left the queue: nobody needs to look for that."""
    try:
        return bool(json.loads(payload)["operation"] != "delete")
    except (ValueError, TypeError, KeyError):
        return True  # not the trigger's: a poll too many does no harm


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set, or after `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
