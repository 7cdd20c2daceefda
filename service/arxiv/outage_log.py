"""Outage log of arXiv: one line at the beginning, one a minute, one at the end.

The truth is the fleet's, in PostgreSQL: a process that asks nothing meanwhile
tells it all the same. Looked at every second.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic

import structlog

from service.db.engine import Database
from service.db.rate_limits import RateLimitStore
from service.domain.channels import Availability, Channel, ChannelState
from service.domain.errors import DatabaseUnavailable
from service.domain.outages import OutageLog, Reason

LOOK_EVERY = timedelta(seconds=1)


class ChannelOutages:
    """The outages of each channel, as the fleet sees them; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._logs = {
            channel: OutageLog(
                "arxiv", structlog.get_logger(__name__, channel=str(channel)), clock=clock
            )
            for channel in Channel
        }

    def note(self, channels: Sequence[ChannelState]) -> None:
        """Log what has changed, and once a minute what has not; a cooldown changes nothing."""
        for state in channels:
            outages = self._logs[state.channel]
            if state.state is Availability.UNAVAILABLE:
                outages.failed(Reason(state.reason or "unknown"))
            elif state.state is Availability.AVAILABLE:
                outages.over()


async def log_outages(database: Database) -> None:
    """Log the outages of all channels until cancelled; nothing without the database."""
    outages = ChannelOutages()
    while True:
        try:
            async with database.transaction() as conn:
                outages.note(await RateLimitStore(conn).channels())
        except DatabaseUnavailable:
            pass
        await asyncio.sleep(LOOK_EVERY.total_seconds())
