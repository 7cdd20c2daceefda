"""Shutdown delay: keeps the listener open until a load balancer has noticed the drain.

A balancer goes on sending requests until a probe has told it not to. Where one
is at work the listener must stay open for a while after SIGTERM; where none is,
waiting would only hold up the exit.
"""

import asyncio
from dataclasses import dataclass
from math import inf
from time import monotonic

from aiohttp import web

PROBED_FOR_SECONDS = 1.0  # ready answers so far apart: not just somebody waiting for the start
PROBED_WITHIN_SECONDS = 15.0
LOOK_SECONDS = 0.75  # whoever asks so soon after SIGTERM is still sending


@dataclass(slots=True)
class ShutdownDelay:
    """When requests came, by the monotonic clock."""

    latest_at: float = -inf
    first_ready_at: float = inf
    latest_ready_at: float = -inf

    def note(self, request: web.Request, response: web.StreamResponse) -> None:
        """One request is being answered."""
        self.latest_at = monotonic()
        if request.path == "/readyz" and response.status == 200:
            self.first_ready_at = min(self.first_ready_at, self.latest_at)
            self.latest_ready_at = self.latest_at

    async def wait_until_idle(self, seconds: float) -> None:
        """Return when the listener may close: after `seconds`, or soon if nobody asks."""
        began = monotonic()
        if not self._is_probed(began):
            await asyncio.sleep(min(LOOK_SECONDS, seconds))
            if self.latest_at < began:
                return
        await asyncio.sleep(max(0.0, began + seconds - monotonic()))

    def _is_probed(self, now: float) -> bool:
        for_long = self.latest_ready_at - self.first_ready_at >= PROBED_FOR_SECONDS
        return for_long and now - self.latest_ready_at < PROBED_WITHIN_SECONDS


SHUTDOWN_DELAY: web.AppKey[ShutdownDelay] = web.AppKey("traffic", ShutdownDelay)
