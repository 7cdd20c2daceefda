"""Conditions and ranges of a GET (RFC 9110 §13 and §14): what of a file is to be sent."""

import re

from aiohttp import hdrs, web

_RANGE = re.compile(r"bytes=(?!-$)([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


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
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
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
