"""Event loop lag: measured ten times a second.

A beat every tenth of a second notes by how much it came too late. The figures
of the last minute are for `/metrics` and for whoever decides to refuse work;
the log hears of it when it is bad.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import structlog

EVERY_SECONDS = 0.1
KEPT = 600  # beats: a minute of a loop that is in time
NOTABLE_SECONDS = 0.25
TELL_EVERY_SECONDS = 10.0
STUCK_SECONDS = 1.0
STUCK_BEATS = 5

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class LoopLag:
    """The lag of the loop that `watch` runs on, in seconds."""

    _late: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=KEPT))
    _untold: float = 0.0

    @property
    def latest(self) -> float:
        """By how much the last beat was late."""
        return self._late[-1]

    @property
    def worst(self) -> float:
        """The most of the last minute."""
        return max(self._late)

    @property
    def p99(self) -> float:
        """What 99 of 100 beats of the last minute did not exceed."""
        ordered = sorted(self._late)
        return ordered[int(0.99 * (len(ordered) - 1))]

    def figures(self) -> dict[str, float]:
        """All three by their names, for `/metrics`."""
        return {"latest": self.latest, "p99": self.p99, "worst": self.worst}

    @property
    def is_stuck(self) -> bool:
        """True while beat after beat comes a second late: more work than there is processor.

        One long pause (a debugger, a suspended machine) is not that.
        """
        if self.latest < STUCK_SECONDS or len(self._late) < STUCK_BEATS:
            return False
        return all(self._late[-n] >= STUCK_SECONDS for n in range(1, STUCK_BEATS + 1))

    def note(self, seconds: float) -> None:
        """Keep how late a beat was."""
        self._late.append(max(seconds, 0.0))
        self._untold = max(self._untold, seconds)

    async def watch(self) -> None:
        """Beat until cancelled."""
        loop = asyncio.get_running_loop()
        tell_at = loop.time()
        while True:
            due = loop.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            now = loop.time()
            self.note(now - due)
            if self._untold >= NOTABLE_SECONDS and now >= tell_at:
                _log.warning("event loop late", seconds=round(self._untold, 3))
                self._untold, tell_at = 0.0, now + TELL_EVERY_SECONDS
