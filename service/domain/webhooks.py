"""Webhooks (Standard Webhooks 1.0): events, signing secrets, retry schedule. Values and rules."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

from service.domain.callback_targets import CallbackTargets

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64  # Standard Webhooks 1.0, "Signature scheme"
RETRY_SECONDS = (5, 30, 120, 600, 3600, 21_600, 86_400)
MAX_RETRIES = 50
JITTER = 0.1  # that a wait is lengthened by at most, as a share of it
LONGEST_WAIT = timedelta(days=1)  # that a receiver may ask for by Retry-After


class WebhookEvent(StrEnum):
    """What callers are told: how a job ended."""

    COMPLETED = "job.completed"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"


class DeliveryStatus(StrEnum):
    """States of one attempt to deliver; the last two are final."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WebhookSettings:
    """What switches webhooks on: secrets that sign, waits between attempts, whom to call back."""

    secrets: tuple[str, ...]
    retry_seconds: tuple[int, ...] = RETRY_SECONDS
    targets: CallbackTargets = field(default_factory=CallbackTargets)


def parse_secrets(text: str) -> tuple[str, ...]:
    """The secrets in `text`, separated by blanks; raises ValueError where one is none."""
    found = tuple(text.split())
    if not found:
        raise ValueError("no secret")
    for secret in found:
        if not secret.startswith(SECRET_PREFIX):
            raise ValueError("no prefix")
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error as err:
            raise ValueError("not base64") from err
        if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
            raise ValueError("not of 24 to 64 bytes")
    return found


def new_secret() -> str:
    """A fresh secret of 32 random bytes, as it is shown to its owner."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def parse_retry_seconds(text: str) -> tuple[int, ...]:
    """Waits in seconds, separated by blanks and not falling; raises ValueError."""
    found = tuple(int(word) if word.isascii() and word.isdigit() else -1 for word in text.split())
    longest = int(timedelta(days=7).total_seconds())
    if not 1 <= len(found) <= MAX_RETRIES or not all(1 <= wait <= longest for wait in found):
        raise ValueError("not 1 to 50 whole numbers of seconds up to a week")
    if any(later < earlier for earlier, later in pairwise(found)):
        raise ValueError("falling")
    return found


def next_wait(
    waits: Sequence[int], attempt: int, *, jitter: float, wish: timedelta | None = None
) -> timedelta | None:
    """The wait after failed `attempt` (from 1); None when it was the last.

    `jitter` in [0, 1) lengthens it by up to a tenth. `wish` is the receiver's Retry-After:
    it is heeded where it is longer, up to a day.
    """
    if attempt > len(waits):
        return None
    wait = timedelta(seconds=waits[attempt - 1]) * (1 + JITTER * jitter)
    return wait if wish is None else max(wait, min(wish, LONGEST_WAIT))
