"""Rate limit middleware: requests of each caller in a minute, counted in this process.

A count for each caller in a window that is the same for all: the cheapest thing
that tells remaining requests and reset exactly, as the RateLimit fields want
them (draft-ietf-httpapi-ratelimit-headers). Nothing is asked of the database,
so N processes let N times as much through.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from aiohttp import hdrs, web

from service.api.middlewares.auth import READING
from service.domain.errors import Overloaded, RateExceeded

WINDOW_SECONDS = 60
STUCK_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What callers may ask of one API process; 0: as much as they like.

    `reads` and `writes` are requests of one caller in a minute; jobs count while
    they are unfinished; a body has `body_seconds` to arrive.
    """

    reads: int = 0
    writes: int = 0
    jobs_per_caller: int = 0
    jobs: int = 0
    body_seconds: float = 20.0


class Window:
    """At most `quota` requests of each caller in a window of `seconds`, then the next begins."""

    def __init__(
        self,
        name: str,
        quota: int,
        *,
        seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name, self.quota, self.seconds = name, quota, seconds
        self._policy = f'"{name}";q={quota};w={math.ceil(seconds)}'
        self._clock = clock
        self._ends_at = -math.inf
        self._counts: dict[str, int] = {}

    def take(self, caller: str) -> int:
        """Count one request; how many `caller` has left in this window, negative: not one."""
        now = self._clock()
        if now >= self._ends_at:
            self._ends_at = now + self.seconds
            self._counts.clear()
        count = self._counts.get(caller, 0) + 1
        self._counts[caller] = count
        return self.quota - count

    def resets_in(self) -> int:
        """Seconds to the next window, rounded up."""
        return max(math.ceil(self._ends_at - self._clock()), 1)

    def fields(self, left: int) -> dict[str, str]:
        """The RateLimit fields of an answer to a caller with `left` requests left."""
        return {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"{self.name}";r={max(left, 0)};t={self.resets_in()}',
        }


LEFT: web.RequestKey[tuple[Window, int]] = web.RequestKey("requests left", tuple)


class RateLimits:
    """Counts the requests of each caller, and refuses those that are too many.

    While the event loop `is_stuck`, new work is refused; reading and cancelling go on.
    """

    def __init__(self, bounds: Bounds, *, is_stuck: Callable[[], bool]) -> None:
        self._reads = Window("reads", bounds.reads) if bounds.reads else None
        self._writes = Window("writes", bounds.writes) if bounds.writes else None
        self._is_stuck = is_stuck

    @property
    def counts_reads(self) -> bool:
        """Whether reads are counted, and answers to them bear RateLimit fields.

        If not, `admit` has nothing to say about them: see `short_way`.
        """
        return self._reads is not None

    def admit(self, request: web.Request, caller: str) -> None:
        """Count a request of `caller`; raises RateExceeded or Overloaded."""
        if request.method == hdrs.METH_POST and self._is_stuck():
            raise Overloaded("The service is overloaded", retry_after=STUCK_RETRY_SECONDS)
        window = self._reads if request.method in READING else self._writes
        if window is None:
            return
        left = window.take(caller)
        request[LEFT] = (window, left)
        if left < 0:
            raise RateExceeded("Too many requests", retry_after=window.resets_in())

    def show(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the RateLimit fields on an answer."""
        if (self._reads or self._writes) and (counted := request.get(LEFT)) is not None:
            window, left = counted
            for name, value in window.fields(left).items():
                response.headers.setdefault(name, value)
