"""View watchers: the streams behind lists and the fleet, many viewers of one look.

A view is what several requests see alike: a list with its filters, or the fleet. While it has
viewers it is read every `look`, and at once for one who has just come; viewers hold no connection
to the database, and all views together at most `LOOKS_AT_ONCE`. What is read is cut into pieces
(a job, the workers), and a viewer is sent those whose bytes differ from what it knows. Snapshots
are shared, and a viewer that is slow finds the newest when it comes back, and none in between.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog
from aiohttp import web

from service.api.job_watch import RETRY_SECONDS
from service.api.middlewares.auth import PRINCIPAL
from service.api.watch_room import WatchLimits, WatchRoom, dismiss
from service.domain.errors import Overloaded, TransientError, Unauthenticated

LOOKS_AT_ONCE = 2  # of one process, so that requests find connections
MAX_VIEWS = 64
NO_ROOM = "Too many concurrent viewers"

Pieces = Mapping[str, bytes]  # name → JSON

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What was read at one moment, of this process' clock."""

    at: datetime
    pieces: Pieces


@dataclass(slots=True, eq=False)
class Snapshot:
    """The state of a view since its last change: `number` counts changes, `at` is the last look.

    `failure` is set while the view cannot be read: the rest is then what was known before.
    """

    number: int
    at: datetime
    pieces: Pieces
    failure: TransientError | None = None
    _changes: dict[int, dict[str, bytes]] = field(default_factory=dict)

    def changes_since(self, known: "Snapshot") -> Pieces:
        """The pieces that are not as in `known`; worked out once for all who know the same.

        Those that are gone are null.
        """
        if known.number not in self._changes:
            now = dict.fromkeys(known.pieces, b"null") | dict(self.pieces)
            self._changes[known.number] = {
                name: piece for name, piece in now.items() if known.pieces.get(name) != piece
            }
        return self._changes[known.number]


@dataclass(slots=True, eq=False)
class Viewer:
    """One stream, and the view that it shows."""

    request: web.Request
    view: "_View"
    came: int  # looks that had begun before it
    is_over: bool = False
    is_refused: bool = False
    is_notified: asyncio.Event = field(default_factory=asyncio.Event)

    async def first(self) -> Snapshot:
        """The state, read after the viewer came; raises what hinders that."""
        while not self.is_over and self.view.ended <= self.came:
            if self.view.task.done():
                self.view.task.result()  # raises what nobody had reckoned with
            await self._notified()
        if self.view.failure is not None:
            raise self.view.failure.with_traceback(None)
        if self.is_over or self.view.newest is None:
            raise Overloaded(NO_ROOM, retry_after=RETRY_SECONDS)
        return self.view.newest

    async def newer(self, known: Snapshot, *, until: float) -> Snapshot | None:
        """The newest state: one newer than `known`, or `known` at `until` (loop time).

        None when the waiting is over: the connection is lost, the process is to stop, or
        reading has failed as nobody had reckoned with.
        Raises Unauthenticated when the caller has been blocked.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self._has_ended() and self.view.newest is known:
                    await self._notified()
        if self.is_refused:
            raise Unauthenticated("blocked")
        return None if self._has_ended() else self.view.newest

    def end(self) -> None:
        """Release the viewer."""
        self.is_over = True
        self.is_notified.set()

    def _has_ended(self) -> bool:
        return self.is_over or self.view.task.done()

    async def _notified(self) -> None:
        self.is_notified.clear()
        await self.is_notified.wait()


@dataclass(slots=True, eq=False)
class _View:
    """One view; it lasts as long as its viewers, and the look that is under way."""

    read: Callable[[], Awaitable[Look]]
    viewers: set[Viewer] = field(default_factory=set)
    newest: Snapshot | None = None
    failure: TransientError | None = None
    begun: int = 0  # looks
    ended: int = 0
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)

    async def look(self) -> None:
        """Read, and notify the viewers if anything is not as it was."""
        self.begun += 1
        before = self.newest
        try:
            found = await self.read()
        except TransientError as err:
            self.failure = err
            if before is not None and before.failure is None:
                self.newest = replace(before, number=before.number + 1, failure=err, _changes={})
        else:
            self.failure = None
            self._take(found, before)
        self.ended = self.begun
        self.notify()

    def _take(self, found: Look, before: Snapshot | None) -> None:
        if before is not None and before.failure is None and before.pieces == found.pieces:
            before.at = found.at
        else:
            number = 1 if before is None else before.number + 1
            self.newest = Snapshot(number, found.at, found.pieces)

    def end(self, task: asyncio.Task[None]) -> None:
        """Let those who are left go; all of them come back, and begin another."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("view not read", exc_info=error)
        self.notify()

    def notify(self) -> None:
        """Wake the viewers."""
        for viewer in self.viewers:
            viewer.is_notified.set()


class ViewWatch:
    """All viewers of this process. `close` lets them go, `join` waits for the looks under way."""

    def __init__(
        self, *, is_active: Callable[[str], bool], limits: WatchLimits | None = None
    ) -> None:
        self.limits: Final = limits or WatchLimits()
        self._is_active = is_active
        self._views: dict[Hashable, _View] = {}
        self._room = WatchRoom(
            replace(
                self.limits,
                waiters=self.limits.viewers,
                waiters_per_caller=self.limits.viewers_per_caller,
            )
        )
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)

    def __len__(self) -> int:
        return len(self._room)

    @asynccontextmanager
    async def watch(
        self, request: web.Request, key: Hashable, read: Callable[[], Awaitable[Look]]
    ) -> AsyncIterator[Viewer]:
        """Watch the view that `key` names and `read` reads; raises Overloaded without room."""
        caller = request[PRINCIPAL].caller
        is_full = key not in self._views and len(self._views) >= MAX_VIEWS
        if is_full or not self._room.has_room(caller):
            raise Overloaded(NO_ROOM, retry_after=RETRY_SECONDS)
        view = self._views.get(key) or self._begin(key, read)
        viewer = Viewer(request, view, came=view.begun)
        view.viewers.add(viewer)
        view.bell.set()
        try:
            with self._room.taken(caller):
                yield viewer
        finally:
            view.viewers.remove(viewer)
            view.bell.set()

    def close(self) -> None:
        """Release all viewers, and take no new ones: the process is about to stop."""
        self._room.close()
        for viewer in self._viewers():
            viewer.end()

    async def join(self) -> None:
        """Wait until nothing is read any more; after `close`."""
        if tasks := {view.task for view in self._views.values()}:
            await asyncio.wait(tasks)

    def _begin(self, key: Hashable, read: Callable[[], Awaitable[Look]]) -> _View:
        view = self._views[key] = _View(read)
        view.task = asyncio.create_task(self._keep(key, view), name="look at a view")
        view.task.add_done_callback(view.end)
        return view

    async def _keep(self, key: Hashable, view: _View) -> None:
        try:
            await self._look_on(view)
        finally:
            del self._views[key]  # who comes now begins another

    async def _look_on(self, view: _View) -> None:
        loop = asyncio.get_running_loop()
        while True:
            view.bell.clear()
            dismiss(tuple(view.viewers), self._is_active)
            if not view.viewers:
                return
            began = loop.time()
            async with self._looks:
                await view.look()
            # At most half of the time is spent on a view, however often viewers come.
            await asyncio.sleep(max(self.limits.rest.total_seconds(), loop.time() - began))
            due = began + self.limits.look.total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    while view.viewers and view.ended > max(one.came for one in view.viewers):
                        view.bell.clear()
                        await view.bell.wait()

    def _viewers(self) -> Iterator[Viewer]:
        return (one for view in self._views.values() for one in tuple(view.viewers))


VIEW_WATCH: web.AppKey[ViewWatch] = web.AppKey("view_watch", ViewWatch)
