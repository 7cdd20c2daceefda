"""Content negotiation, conditional requests, byte ranges and `Prefer: wait`.

`Accept` (RFC 9110 §12.5.1), `If-None-Match`, `If-Match`, `If-Range` and `Range`
(RFC 9110 §13 and §14), `Prefer: wait=N` (RFC 7240 §4.3).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from aiohttp import hdrs, web
from multidict import istr

JSON = "application/json"
NDJSON = "application/x-ndjson"
PLAIN_TEXT = "text/plain"
MARKDOWN = "text/markdown"
PDF = "application/pdf"
OCTET_STREAM = "application/octet-stream"

_MEDIA_RANGE = re.compile(r"([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)", re.ASCII)
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)
LONGEST_WAIT = timedelta(seconds=60)
PREFER = istr("Prefer")
PREFERENCE_APPLIED = "Preference-Applied"

_SECONDS = re.compile(r'([0-9]+)|"([0-9]+)"')
_BYTE_RANGE = re.compile(r"bytes=(?!-$)([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


def preferred(request: web.Request, offers: Sequence[str]) -> str:
    """The media type of `offers` that suits best; the first of those that suit equally.

    A type that is named beats one that a `*` allows. No Accept: the first offer.
    Raises HTTPNotAcceptable when nothing suits.
    """
    values = request.headers.getall("Accept", [])
    if not any(value.strip() for value in values):
        return offers[0]
    ranges = list(_media_ranges(values))
    weights = {offer: _weight(offer, ranges) for offer in offers}
    best = max(offers, key=lambda offer: weights[offer])  # the first of equals
    if weights[best][0] == 0:
        raise web.HTTPNotAcceptable
    return best


def _media_ranges(values: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Media ranges with their weights; what is not understood is left out."""
    for element in ",".join(values).split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        matches = [_WEIGHT.fullmatch(one) for one in parameters if one.lower().startswith("q=")]
        if _MEDIA_RANGE.fullmatch(name) and all(matches):
            yield name.lower(), float(matches[0][1]) if matches and matches[0] else 1.0


def _weight(offer: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """Weight and exactness of the most exact range that covers `offer`; (0, 0) if none does."""
    covering = ("*/*", offer.split("/", maxsplit=1)[0] + "/*", offer)
    found = [(covering.index(name), weight) for name, weight in ranges if name in covering]
    exactness, weight = max(found, default=(0, 0.0))
    return weight, exactness


def is_seen(request: web.Request, tag: str) -> bool:
    """True when the caller has what `tag` names already: the answer is 304."""
    if hdrs.IF_NONE_MATCH not in request.headers:
        return False
    return any(seen.value in (tag, "*") for seen in request.if_none_match or ())


def require_match(request: web.Request, tag: str) -> None:
    """Raise HTTPPreconditionFailed when the caller wants another content than that of `tag`."""
    wanted = request.if_match
    if wanted is None or any(one.value == "*" for one in wanted):
        return
    if not any(one.value == tag and not one.is_weak for one in wanted):
        raise web.HTTPPreconditionFailed


def wanted_range(request: web.Request, *, size: int, tag: str) -> range | None:
    """The bytes that `Range` asks for; None: all of them.

    A header that is not understood, asks for several ranges, or goes with an
    `If-Range` for another content is ignored, as the RFC allows or demands.
    Raises HTTPRequestRangeNotSatisfiable for a range that has no byte.
    """
    if request.headers.get("If-Range", f'"{tag}"') != f'"{tag}"':
        return None
    match = _BYTE_RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None:
        return None
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is None:  # the last so many
        found = range(max(size - (last or 0), 0), size)
    elif last is not None and last < first:
        return None
    else:
        found = range(size)[first : None if last is None else last + 1]
    if not found:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return found


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
