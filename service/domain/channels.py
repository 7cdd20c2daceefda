"""Channels to arXiv: their names and states, and the reasons why jobs wait."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    """Which of arXiv's services is asked; each has its own rate limit and its own waits."""

    API = "api"  # query API and OAI-PMH: arXiv counts them together
    PDF = "pdf"
    HTML = "html"


class WaitReason(StrEnum):
    """Why a running job does not move: `jobs.waiting_for`."""

    ARXIV_UNAVAILABLE = "arxiv_unavailable"
    ARXIV_COOLDOWN = "arxiv_cooldown"
    ARXIV_PAUSED = "arxiv_paused"
    STORAGE_UNAVAILABLE = "storage_unavailable"


# Waits that end with the job where they last for a day.
BOUNDED_WAITS = (WaitReason.ARXIV_UNAVAILABLE, WaitReason.ARXIV_COOLDOWN)


class Availability(StrEnum):
    """What a channel is like now; the first that holds, from the last to the first of these."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"  # the last request had no answer
    COOLDOWN = "cooldown"  # arXiv asked to wait, or blocks us
    PAUSED = "paused"  # an operator did it


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One channel by the database clock.

    `since`: when it became what it is (None: available). `next_slot_at`: no
    request starts earlier. `cooldown_until` is in the future or None. `reason`
    says in safe words why it is unavailable. `answers`: False from the first request that
    had no answer to the next one that has, whatever else closes the channel.
    """

    channel: Channel
    state: Availability
    since: datetime | None
    next_slot_at: datetime
    cooldown_until: datetime | None
    reason: str | None
    answers: bool = True

    @property
    def wait(self) -> WaitReason | None:
        """What jobs that use it wait for."""
        return None if self.state is Availability.AVAILABLE else WaitReason(f"arxiv_{self.state}")
