"""What the client needs of the fleet's pace towards arXiv, as a protocol.

arXiv's terms count all machines under one's control together, so turns are
shared by every replica; how they are shared is the business of whoever
implements this. The two lanes are independent of each other.
"""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Lane(StrEnum):
    """Which of arXiv's services is asked; each has its own pace and its own silences."""

    API = "api"
    PDF = "pdf"


class Pace(Protocol):
    """Who may ask arXiv, and when. Each wait in here has its own deadline."""

    def api_turn(self) -> AbstractAsyncContextManager[None]:
        """A turn for one API request: at most one in flight, the interval kept between starts.

        The answer has been read whole when the block ends.
        """
        ...

    async def pdf_turn(self) -> None:
        """Return when one PDF request may start."""
        ...

    async def silence(self, lane: Lane, delay: timedelta | None) -> timedelta:
        """Let nobody ask on `lane` for `delay` (None: an own, growing backoff).

        Returns the silence that was set.
        """
        ...

    async def cleared(self, lane: Lane) -> None:
        """A request of `lane` ended well: forget the strikes that made the backoff grow."""
        ...
