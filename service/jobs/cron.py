"""Cron expressions of five fields, in UTC.

croniter reads more than those: seconds, years, `@hourly`, and fields that differ
from run to run (`R`, `H`). Here an expression means the same moments always.
"""

import re
from datetime import datetime

from croniter import croniter

MAX_LENGTH = 100
_FIELDS = re.compile(r"[0-9A-Z*,/#-]+(?: [0-9A-Z*,/#-]+){4}", re.ASCII)
_WORDS = {
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
    *("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
    "L",  # the last one: of the month, or of that weekday in it
}


def next_run(cron: str, after: datetime) -> datetime:
    """The first moment of `cron` later than `after`; raises ValueError where there is none.

    Where day of month and day of week are both given, either will do (POSIX).
    """
    text = cron.upper()
    words = set(re.findall(r"[A-Z]+", text))
    if len(cron) > MAX_LENGTH or _FIELDS.fullmatch(text) is None or words - _WORDS:
        raise ValueError("not a cron expression of five fields")
    moment: datetime = croniter(text, after).get_next(datetime)
    return moment
