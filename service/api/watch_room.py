"""Room for watchers: how many requests may wait in this process, in all and of one caller."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from aiohttp import web

from service.api.middlewares.auth import PRINCIPAL


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """Bounds on waiting: `waiters` of one process, `send` for a consumer to take an event.

    `viewers` are those of lists and of the fleet, which are read every `look`.
    """

    waiters: int = 5_000
    waiters_per_caller: int = 2_500  # so that none keeps the others out
    poll: timedelta = timedelta(seconds=0.5)
    rest: timedelta = timedelta(seconds=0.05)  # between polls, so that one serves many changes
    heartbeat: timedelta = timedelta(seconds=15)
    send: timedelta = timedelta(seconds=10)
    viewers: int = 500
    viewers_per_caller: int = 50
    look: timedelta = timedelta(seconds=2)
    confirm: timedelta = timedelta(seconds=5)  # that what was sent is what there is


class Watcher(Protocol):
    """A request that waits."""

    request: web.Request
    is_refused: bool

    def end(self) -> None:
        """Release the watcher."""
        ...


class WatchRoom:
    """Counts watchers. `close` leaves no room: the process is about to stop."""

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self._count = 0
        self._count_of: Counter[str] = Counter()  # by caller; who has none is not in it
        self.is_closed = False

    def __len__(self) -> int:
        return self._count

    def has_room(self, caller: str) -> bool:
        """False at the limit for all or for `caller`, and once closed."""
        if self.is_closed or self._count >= self._limits.waiters:
            return False
        return self._count_of[caller] < self._limits.waiters_per_caller

    def close(self) -> None:
        """Take nobody in any more."""
        self.is_closed = True

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """A place for the block, whether there is room or not."""
        self._count += 1
        self._count_of[caller] += 1
        try:
            yield
        finally:
            self._count -= 1
            self._count_of[caller] -= 1
            if not self._count_of[caller]:
                del self._count_of[caller]


def dismiss(watchers: Iterable[Watcher], is_active: Callable[[str], bool]) -> None:
    """End the waiting of those whose connection is gone, or whose caller is blocked."""
    for watcher in watchers:
        watcher.is_refused = not is_active(watcher.request[PRINCIPAL].caller)
        if watcher.is_refused or watcher.request.transport is None:
            watcher.end()
