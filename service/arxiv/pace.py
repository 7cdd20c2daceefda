"""What the client needs of the fleet's pace towards arXiv, as a protocol.

arXiv's terms count all machines under one's control together, so turns are
shared by every replica; how they are shared is the business of whoever
implements this. The two lanes are independent of each other.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """Which of arXiv's services is asked; each has its own pace and its own silences."""

    API = "api"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Requester:
    """For whom arXiv is asked: `name` tells askers apart.

    `check` is awaited when the turn has come, just before the request, and
    raises whatever it likes if the answer is not wanted any more.
    """

    name: str
    check: Callable[[], Awaitable[None]]


class Slot(Protocol):
    """The right to ask on the API lane, now."""

    async def begin(self) -> None:
        """The request is about to go out. Raises UpstreamFaulty if the turn was lost by now."""
        ...

    def answered(self) -> None:
        """The answer has begun to come: the request has arrived by now."""
        ...


class RateLimiter(Protocol):
    """Who may ask arXiv, and when. Each wait in here has its own deadline."""

    def api_slot(self) -> AbstractAsyncContextManager[Slot]:
        """A turn for one API request: at most one in flight, the interval kept between starts.

        The answer has been read whole when the block ends.
        """
        ...

    async def pdf_slot(self) -> None:
        """Return when one PDF request may start."""
        ...

    async def silence(self, lane: Channel, delay: timedelta | None) -> timedelta:
        """Let nobody ask on `lane` for `delay` (None: an own, growing backoff).

        Returns the silence that was set.
        """
        ...

    async def cleared(self, lane: Channel) -> None:
        """A request of `lane` ended well: forget strikes and failures."""
        ...

    async def failed(self, lane: Channel, asker: str) -> timedelta | None:
        """Note that arXiv was away when `asker` asked on `lane`.

        Returns how long to wait if it is away for everybody: the lane is silent
        meanwhile. None: it may have been this one request.
        """
        ...
