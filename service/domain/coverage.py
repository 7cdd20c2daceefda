"""What an audit says of a day: papers that arXiv lists for it, and what of them is not held."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class ListedDay:
    """What a source lists for one day (UTC), against what is held of it: numbers of papers."""

    day: date
    listed: int
    missing: int
    stale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDay:
    """One day of one set, as the last audit found it and healing has moved it."""

    day: date
    listed: int
    missing: int
    stale: int
    checked_at: datetime

    @property
    def held(self) -> int:
        """Papers listed that are held, stale ones too."""
        return self.listed - self.missing
