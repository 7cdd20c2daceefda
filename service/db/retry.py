"""Retry with back-off while the database is unavailable, within a limit."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from service.domain.errors import DatabaseUnavailable

T = TypeVar("T")

LONGEST_PAUSE_SECONDS = 1.0  # work goes on within a poll of the database's return
PATIENCE_SECONDS = 900.0  # longer than any restart; then somebody should look


async def with_retry(action: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """What `action` returns, run again and again while it raises DatabaseUnavailable.

    Raises that after `seconds`. The action must not mind running twice: a commit
    that was cut off may have taken place.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(DatabaseUnavailable),
        stop=stop_after_delay(seconds),
        wait=wait_exponential_jitter(multiplier=0.1, max=LONGEST_PAUSE_SECONDS, jitter=0.2),
        reraise=True,
    ):
        with attempt:
            result = await action()
    return result
