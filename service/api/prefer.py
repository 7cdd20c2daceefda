"""How long a caller would like us to wait: `Prefer: wait=N` (RFC 7240 §4.3)."""

import re
from datetime import timedelta

from aiohttp import web

LONGEST_WAIT = timedelta(seconds=60)
PREFER = "Prefer"
PREFERENCE_APPLIED = "Preference-Applied"

_SECONDS = re.compile(r'([0-9]+)|"([0-9]+)"')


def preferred_wait(request: web.BaseRequest) -> timedelta | None:
    """The wait asked for, at most LONGEST_WAIT; None if none is, or in no proper form.

    Of several the first one counts (RFC 7240 §2). A preference that is not
    understood is ignored, and never an error.
    """
    if PREFER not in request.headers:
        return None
    for preference in ",".join(request.headers.getall(PREFER, ())).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip(" \t").lower() == "wait":
            match = _SECONDS.fullmatch(value.strip(" \t"))
            return None if match is None else _seconds(match[1] or match[2])
    return None


def applied(wait: timedelta) -> dict[str, str]:
    """The header that says that we do wait for so long."""
    return {PREFERENCE_APPLIED: f"wait={wait // timedelta(seconds=1)}"}


def _seconds(digits: str) -> timedelta:
    significant = digits.lstrip("0")[:3]  # three are more than the longest wait already
    return min(timedelta(seconds=int(significant or "0")), LONGEST_WAIT)
