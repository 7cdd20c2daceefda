"""Rate limiter protocol: what the arXiv client needs of the fleet's rate limit.

arXiv's terms count all machines under one's control together, so slots are
shared by every replica; how they are shared is the business of whoever
implements this. The channels are independent of each other.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from service.domain.channels import Channel
from service.domain.errors import ChannelClosed

__all__ = ["PLAIN_RANK", "Channel", "ChannelClosed", "RateLimiter", "Requester", "Slot"]


PLAIN_RANK = 2**40  # before all others: a worker's place is held until it has its answer


@dataclass(frozen=True, slots=True)
class Requester:
    """For whom arXiv is asked: `name` tells requesters apart.

    `check` is awaited when the slot has come, just before the request, and
    raises whatever it likes if the answer is not wanted any more. Of several
    that wait for a slot, the one with the highest `rank` gets it.
    """

    name: str
    check: Callable[[], Awaitable[None]]
    rank: int = 0


class Slot(Protocol):
    """The right to send one request on the API or the HTML channel, now."""

    async def begin(self) -> None:
        """The request is about to go out. Raises ChannelClosed if it may not any more."""
        ...

    def answered(self) -> None:
        """The answer has begun to come: the request has arrived by now."""
        ...


class RateLimiter(Protocol):
    """Who may ask arXiv, and when.

    Waits in here are short. Where it takes longer, ChannelClosed is raised and says how
    long: the task is to come back then.
    """

    def api_slot(
        self, rank: int = 0, *, is_plain: bool = False
    ) -> AbstractAsyncContextManager[Slot]:
        """A slot for one API request: at most one in flight, the interval kept between starts.

        The answer has been read whole when the block ends. `is_plain`: the request is
        to find out whether arXiv answers at all, so that an outage is no obstacle.
        """
        ...

    def html_slot(
        self, rank: int = 0, *, is_plain: bool = False
    ) -> AbstractAsyncContextManager[Slot]:
        """A slot for one page of HTML, held likewise while the page is read."""
        ...

    async def pdf_slot(self, *, is_plain: bool = False) -> None:
        """Return when one PDF request may start."""
        ...

    async def cooldown(
        self,
        channel: Channel,
        wish: timedelta | None,
        *,
        is_block: bool = False,
        status: int | None = None,
    ) -> ChannelClosed:
        """Close the channel for the fleet for as long as arXiv wishes (None: a growing time).

        `status`: of the answer that says so, which is counted.
        """
        ...

    async def failed(self, channel: Channel, reason: str) -> ChannelClosed:
        """Note that a request had no answer."""
        ...

    async def answered(self, channel: Channel) -> None:
        """Note that arXiv answers."""
        ...

    async def answered_lately(self, channel: Channel) -> bool:
        """Whether arXiv has answered so lately that it can be taken to be available."""
        ...
