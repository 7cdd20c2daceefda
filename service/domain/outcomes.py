"""Outcome of a task's run: succeed, retry, snooze or fail, by a pure function.

The other half of the error tree: `errors.py` says what happened, `decide` what
to do about it.
"""

from dataclasses import dataclass
from datetime import timedelta

from service.domain.channels import WaitReason
from service.domain.errors import (
    ChannelClosed,
    DatabaseUnavailable,
    PermanentError,
    SlotMissed,
    StorageUnavailable,
    Suspected,
    TransientError,
)

BACKOFF_FIRST = timedelta(seconds=1)
BACKOFF_LONGEST = timedelta(minutes=10)
SNOOZE_LONGEST = timedelta(minutes=10)
OUTAGE_DELAY = timedelta(seconds=2)  # between looks whether database or storage is back


@dataclass(frozen=True, slots=True)
class Succeed:
    """The task is done."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Run it again after `delay`; the run counts as an attempt."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Snooze:
    """Run it again after `delay`; nobody is to blame, so no attempt is counted.

    `waiting_for` is shown with the job meanwhile.
    """

    delay: timedelta
    waiting_for: WaitReason | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Never again. `code` and `message` are shown to callers."""

    code: str
    message: str


Outcome = Succeed | Retry | Snooze | Fail


def decide(error: Exception | None, *, attempt: int, limit: int, jitter: float) -> Outcome:
    """What follows from run number `attempt` (from 1) that raised `error` (None: it ended well).

    `limit` is how many attempts there may be; `jitter` in [0, 1) spreads the
    delay so that replicas do not come back together.
    """
    match error:
        case None:
            return Succeed()
        case ChannelClosed(delay=delay, reason=reason):  # spread already where it is computed
            return Snooze(min(delay, SNOOZE_LONGEST), reason)
        case SlotMissed(delay=delay) | Suspected(delay=delay):
            return Snooze(min(delay, SNOOZE_LONGEST) + timedelta(seconds=jitter))
        case PermanentError(code=code):
            return Fail(code, str(error))
        case DatabaseUnavailable():  # ours to mend: no item is to blame
            return Snooze(OUTAGE_DELAY + OUTAGE_DELAY * jitter)
        case StorageUnavailable():
            return Snooze(OUTAGE_DELAY + OUTAGE_DELAY * jitter, WaitReason.STORAGE_UNAVAILABLE)
        case TransientError(code=code, limit=own) if attempt >= min(limit, own or limit):
            return Fail(code, f"gave up after {attempt} attempts: {error}")
        case TransientError():
            return Retry(backoff(attempt, jitter))
        case _ if attempt >= limit:
            return Fail("internal", f"gave up after {attempt} attempts: internal error")
        case _:
            return Retry(backoff(attempt, jitter))


def backoff(attempt: int, jitter: float) -> timedelta:
    """The wait after failed attempt number `attempt`: 1 s doubled each time, at most 10 min.

    `jitter` in [0, 1) adds up to half of that again ("equal jitter").
    """
    base = min(BACKOFF_FIRST * float(2 ** min(attempt - 1, 20)), BACKOFF_LONGEST)
    return base + base * (jitter / 2)
