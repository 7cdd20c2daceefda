"""The stand-in's clock: real time in UTC, which tests may set ahead or back.

It says what "today" is for OAI-PMH, when caches and tokens run out, and when an
amended record was modified. Latency and holds go by real time.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta


def _now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Real time plus an offset."""

    def __init__(self, real: Callable[[], datetime] = _now) -> None:
        self._real = real
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The moment, aware UTC."""
        return self._real() + self._ahead

    def today(self) -> date:
        """The UTC day."""
        return self.now().date()

    def midnight(self) -> datetime:
        """The UTC midnight that comes next."""
        return datetime.combine(self.today() + timedelta(days=1), time(), UTC)

    def set(self, moment: datetime) -> None:
        """From now on it is `moment` (aware), and time goes on from there."""
        self._ahead = moment - self._real()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._ahead += timedelta(seconds=seconds)
