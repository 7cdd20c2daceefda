"""Outage log of arXiv: one line at the beginning, one a minute, one at the end.

The truth is the fleet's, in PostgreSQL: a process that asks nothing meanwhile
tells it all the same. Looked at every second.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

import structlog

from service.db.engine import Database
from service.db.rate_limits import RateLimitStore
from service.domain.channels import Availability, Channel, ChannelState
from service.domain.errors import DatabaseUnavailable

LOOK_EVERY = timedelta(seconds=1)
REPEAT_SECONDS = 60.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Told:
    """An outage that was logged: when it began, and when a line last said so (clock)."""

    began_at: float
    told_at: float


@dataclass(slots=True)
class OutageLog:
    """What was logged of each channel; `clock` gives seconds."""

    clock: Callable[[], float] = monotonic
    _told: dict[Channel, _Told] = field(default_factory=dict)

    def note(self, channels: Sequence[ChannelState]) -> None:
        """Log what has changed, and once a minute what has not."""
        for state in channels:
            if state.state is Availability.UNAVAILABLE:
                self._unavailable(state)
            elif state.state is Availability.AVAILABLE:
                self._available(state)

    def _unavailable(self, state: ChannelState) -> None:
        now, told = self.clock(), self._told.get(state.channel)
        facts = {"channel": str(state.channel), "reason": state.reason}
        if told is None:
            self._told[state.channel] = _Told(now, now)
            _log.warning("arxiv unavailable", **facts)
        elif now - told.told_at >= REPEAT_SECONDS:
            told.told_at = now
            _log.warning("arxiv still unavailable", **facts, seconds=round(now - told.began_at))

    def _available(self, state: ChannelState) -> None:
        told = self._told.pop(state.channel, None)
        if told is not None:
            seconds = round(self.clock() - told.began_at, 1)
            _log.info("arxiv available again", channel=str(state.channel), seconds=seconds)


async def log_outages(database: Database) -> None:
    """Log the outages of all channels until cancelled; nothing without the database."""
    outages = OutageLog()
    while True:
        try:
            async with database.transaction() as conn:
                outages.note(await RateLimitStore(conn).channels())
        except DatabaseUnavailable:
            pass
        await asyncio.sleep(LOOK_EVERY.total_seconds())
