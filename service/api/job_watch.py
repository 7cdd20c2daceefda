"""Job watchers: thousands of long polls and streams share one query for changes.

A watcher holds no connection to the database. One loop reads the jobs that
are waited for: at those that PostgreSQL announces at once, at all of them in
one query every half second, since an announcement may be lost. What it finds
is read once, rendered once, and shared by all who wait for that job; a watcher
that is slow finds the newest state when it comes back, and none in between.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from aiohttp import web

from service.api.job_status import RenderedStatus, render
from service.api.middlewares.auth import PRINCIPAL
from service.api.watch_room import WatchLimits, WatchRoom, dismiss
from service.db.changes import hear, versions_of
from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.errors import DatabaseUnavailable, NotFound, Overloaded, Unauthenticated

READ_AT_ONCE = 100  # rows; each may carry a hundred errors
RETRY_SECONDS = 5  # for those who found no room to wait
ROUSE_AT_ONCE = 250  # watchers; other requests get their turn in between

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Watch:
    """One watcher: its request, and the job that it waits for."""

    request: web.Request
    topic: "_Topic"
    is_over: bool = False
    is_refused: bool = False
    _sleep: asyncio.Future[None] | None = None

    def saw(self, shown: RenderedStatus) -> RenderedStatus:
        """The newest state known, which is `shown` or a later one: one object for all who wait."""
        return self.topic.offer(shown)

    async def newer(self, known: RenderedStatus, *, until: float) -> RenderedStatus | None:
        """The newest state once it is newer than `known`; None when the waiting is over.

        That is at `until` (loop time), when the connection is lost, and when the
        process is to stop. Raises NotFound when the job has been deleted, and
        Unauthenticated when the caller has been blocked.
        """
        loop = asyncio.get_running_loop()
        while not self.is_over and loop.time() < until:
            if self.topic.is_gone:
                raise NotFound("Job not found", code="job_not_found")
            newest = self.topic.newest
            if newest is not None and newest.version > known.version:
                return newest
            self._sleep = loop.create_future()
            alarm = loop.call_at(until, self.notify)
            try:
                await self._sleep
            finally:
                alarm.cancel()
        if self.is_refused:
            raise Unauthenticated("blocked")
        return None

    def notify(self) -> None:
        """Wake the watcher."""
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    def end(self) -> None:
        """Release the watcher."""
        self.is_over = True
        self.notify()


@dataclass(slots=True, eq=False)
class _Topic:
    """One job that is waited for; it lasts as long as its watches."""

    watches: set[Watch] = field(default_factory=set)
    newest: RenderedStatus | None = None
    is_gone: bool = False

    def offer(self, shown: RenderedStatus) -> RenderedStatus:
        """Take over what was read, unless as new a state is known; returns the newest."""
        self.is_gone = False
        if self.newest is None or shown.version > self.newest.version:
            self.newest = shown
        return self.newest


class JobWatch:
    """All watchers of this process. `run` serves them, `close` lets them go."""

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
        self._topics: dict[UUID, _Topic] = {}
        self._room = WatchRoom(self.limits)
        self._hinted: set[UUID] = set()
        self._bell = asyncio.Event()

    def __len__(self) -> int:
        return len(self._room)

    def has_room(self, caller: str) -> bool:
        """False at the limit for all or for `caller`, and once the process is about to stop."""
        return self._room.has_room(caller)

    @contextmanager
    def watch(self, request: web.Request, job_id: UUID) -> Iterator[Watch]:
        """Watch a job, whether it exists or not; raises Overloaded when there is no room."""
        caller = request[PRINCIPAL].caller
        if not self.has_room(caller):
            raise Overloaded("Too many concurrent watchers", retry_after=RETRY_SECONDS)
        topic = self._topics.setdefault(job_id, _Topic())
        watch = Watch(request, topic)
        topic.watches.add(watch)
        try:
            with self._room.taken(caller):
                yield watch
        finally:
            topic.watches.remove(watch)
            if not topic.watches:
                del self._topics[job_id]

    async def run(self) -> None:
        """Serve the watchers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(self._database, self._hint), name="announcements")
            group.create_task(self._look_on(), name="changes of jobs")

    def close(self) -> None:
        """Release all watchers, and take no new ones: the process is about to stop."""
        self._room.close()
        for watch in self._watches():
            watch.end()

    def _hint(self, job_id: UUID) -> None:
        if job_id in self._topics:
            self._hinted.add(job_id)
            self._bell.set()

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            began = loop.time()
            await self._look(at_all=began >= due)
            if began >= due:
                due = loop.time() + self.limits.poll.total_seconds()
            # At most half of the time is spent on watchers, however many and busy they are.
            await asyncio.sleep(max(self.limits.rest.total_seconds(), loop.time() - began))

    async def _look(self, *, at_all: bool) -> None:
        self._bell.clear()
        hinted, self._hinted = self._hinted, set()
        try:
            if at_all:
                dismiss(self._watches(), self._is_active)
                hinted |= await self._changed()
            await self._publish([job_id for job_id in hinted if job_id in self._topics])
        except DatabaseUnavailable:
            _log.debug("job changes not read")

    async def _changed(self) -> set[UUID]:
        """Jobs of which the newest state known is no longer the committed one."""
        known = {
            job_id: topic.newest.version for job_id, topic in self._topics.items() if topic.newest
        }
        if not known:
            return set()
        async with self._database.reading() as conn:
            versions = await versions_of(conn, list(known))
        return {job_id for job_id, version in known.items() if versions.get(job_id) != version}

    async def _publish(self, job_ids: list[UUID]) -> None:
        for start in range(0, len(job_ids), READ_AT_ONCE):
            wanted = job_ids[start : start + READ_AT_ONCE]
            async with self._database.reading() as conn:
                found = await JobStore(conn).get_many(wanted)
            for job_id in wanted:
                topic = self._topics.get(job_id)
                if topic is None:
                    continue  # all of its watchers left meanwhile
                if job_id in found:
                    topic.offer(render(found[job_id]))
                else:
                    topic.is_gone = True
                await _notify(tuple(topic.watches))

    def _watches(self) -> Iterator[Watch]:
        return (watch for topic in self._topics.values() for watch in tuple(topic.watches))


async def _notify(watches: Iterable[Watch]) -> None:
    for number, watch in enumerate(watches, 1):
        watch.notify()
        if number % ROUSE_AT_ONCE == 0:
            await asyncio.sleep(0)


JOB_WATCH: web.AppKey[JobWatch] = web.AppKey("waiting", JobWatch)
