"""`Retry-After` (RFC 9110, 10.2.3) as a duration: from seconds or an HTTP date, and bounded."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(minutes=10)  # a longer wish is cut to this: the fleet asks again then
_SECONDS = re.compile(r"\d{1,18}", re.ASCII)


def retry_after(
    value: str | None, *, now: datetime, longest: timedelta = LONGEST
) -> timedelta | None:
    """The wait that `value` asks for, in (0, `longest`]; None when it says nothing usable.

    Nothing usable: no header, neither a number nor a date, zero, or a moment
    that is not after `now` (aware). The caller then backs off by its own rule,
    which grows, where "wait 0 s" would be an endless loop.
    """
    wait = _wait(value.strip(), now, longest) if value else None
    if wait is None or wait <= timedelta(0):
        return None
    return min(wait, longest)


def http_date(value: str | None) -> datetime | None:
    """The moment of an HTTP date, aware UTC; None when `value` is none."""
    try:
        moment = parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _wait(value: str, now: datetime, longest: timedelta) -> timedelta | None:
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=min(int(value), longest.total_seconds()))
    moment = http_date(value)
    return None if moment is None else moment - now
