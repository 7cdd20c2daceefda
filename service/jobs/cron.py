"""Cron expressions of five fields, in any time zone.

croniter reads more than those: seconds, years, `@hourly`, and fields that differ
from run to run (`R`, `H`). Here an expression means the same moments always. It counts
by the clock on the wall: a time that does not exist (clocks are put forward) comes at the
next one that does, and a time that comes twice counts the first time only.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter

MAX_LENGTH = 100
UTC_ZONE = "UTC"
_FIELDS = re.compile(r"[0-9A-Z*,/#-]+(?: [0-9A-Z*,/#-]+){4}", re.ASCII)
_WORDS = {
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
    *("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
    "L",  # the last one: of the month, or of that weekday in it
}
_SECOND = timedelta(seconds=1)


def next_run(cron: str, after: datetime, timezone: str = UTC_ZONE) -> datetime:
    """The first moment (UTC) of `cron` later than `after`; raises ValueError where there is none.

    `timezone` is an IANA name; raises ValueError for another. Where day of month and day of
    week are both given, either will do (POSIX).
    """
    text = cron.upper()
    words = set(re.findall(r"[A-Z]+", text))
    if len(cron) > MAX_LENGTH or _FIELDS.fullmatch(text) is None or words - _WORDS:
        raise ValueError("not a cron expression of five fields")
    zone = zone_of(timezone)
    on_the_wall = croniter(text, after.astimezone(zone).replace(tzinfo=None))
    while (moment := _moment(on_the_wall.get_next(datetime), zone)) <= after:
        pass  # a time of the hour that comes twice, of which this is the second
    return moment


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name, as the IANA database has it; raises ValueError."""
    if name not in _names():
        raise ValueError("not an IANA time zone")
    return ZoneInfo(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """When clocks in `zone` show `wall` for the first time, or have passed it."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    before = early.astimezone(zone).utcoffset()
    while late - early > _SECOND:  # clocks are put forward in between
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
