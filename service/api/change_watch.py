"""Feed watchers: long polls of the change feed share one look for new changes.

A watcher holds no connection to the database. While there are any, one loop puts in order
what has been committed: at once when PostgreSQL announces a change, and every half second,
since an announcement may be lost. All are notified when the feed has grown.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from service.api.middlewares.auth import PRINCIPAL
from service.api.watch_room import WatchLimits, WatchRoom, dismiss
from service.db.engine import Database
from service.db.paper_changes import ChangeStore, hear_changes
from service.domain.errors import DatabaseUnavailable, Unauthenticated

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class FeedWatcher:
    """One long poll; `has_grown` is set when there is more to read, or the waiting is over."""

    request: web.Request
    has_grown: asyncio.Event
    is_over: bool = False
    is_refused: bool = False

    async def more(self, *, until: float) -> bool:
        """Wait until the feed has grown (True), or until `until` (loop time).

        False also when the connection is lost and when the process is to stop. What was
        committed after this watcher began, or was asked last, is not missed. Raises
        Unauthenticated when the caller has been blocked.
        """
        if not self.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self.has_grown.wait()
        if self.is_refused:
            raise Unauthenticated("blocked")
        has_grown = self.has_grown.is_set() and not self.is_over
        self.has_grown.clear()
        return has_grown

    def end(self) -> None:
        """Release the watcher."""
        self.is_over = True
        self.has_grown.set()


class ChangeWatch:
    """All feed watchers of this process. `run` serves them, `close` lets them go."""

    def __init__(
        self,
        database: Database,
        *,
        is_active: Callable[[str], bool],
        limits: WatchLimits | None = None,
    ) -> None:
        self.limits: Final = limits or WatchLimits()
        self._is_active = is_active
        self._database = database
        self._watchers: set[FeedWatcher] = set()
        self._room = WatchRoom(self.limits)
        self._came = asyncio.Event()  # a watcher
        self._bell = asyncio.Event()
        self._last_position = 0

    def __len__(self) -> int:
        return len(self._room)

    def has_room(self, caller: str) -> bool:
        """False at the limit for all or for `caller`, and once the process is about to stop."""
        return self._room.has_room(caller)

    @contextmanager
    def watch(self, request: web.Request) -> Iterator[FeedWatcher]:
        """Watch the feed from now on; the caller has asked `has_room`."""
        caller = request[PRINCIPAL].caller
        watcher = FeedWatcher(request, asyncio.Event(), is_over=self._room.is_closed)
        self._watchers.add(watcher)
        self._came.set()
        try:
            with self._room.taken(caller):
                yield watcher
        finally:
            self._watchers.remove(watcher)
            if not self._watchers:
                self._came.clear()

    async def run(self) -> None:
        """Serve the watchers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(hear_changes(self._database, self._bell.set), name="announcements")
            group.create_task(self._look_on(), name="changes of papers")

    def close(self) -> None:
        """Release all watchers, and take no new ones: the process is about to stop."""
        self._room.close()
        for watcher in tuple(self._watchers):
            watcher.end()

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._came.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.limits.poll.total_seconds()):
                    await self._bell.wait()
            began = loop.time()
            self._bell.clear()
            await self._look()
            # At most half of the time is spent on watchers, however busy the feed is.
            await asyncio.sleep(max(self.limits.rest.total_seconds(), loop.time() - began))

    async def _look(self) -> None:
        dismiss(tuple(self._watchers), self._is_active)
        try:
            async with self._database.transaction() as conn:
                last_position = await ChangeStore(conn).order()
        except DatabaseUnavailable:
            _log.debug("changes of papers not read")
            return
        if last_position != self._last_position:
            self._last_position = last_position
            for watcher in tuple(self._watchers):
                watcher.has_grown.set()


CHANGE_WATCH: web.AppKey[ChangeWatch] = web.AppKey("change_watch", ChangeWatch)
