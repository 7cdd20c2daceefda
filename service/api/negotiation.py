"""What form of an answer a caller prefers (RFC 9110 §12.5.1), of those that there are."""

import re
from collections.abc import Iterable, Iterator, Sequence

from aiohttp import web

JSON = "application/json"
NDJSON = "application/x-ndjson"
PLAIN_TEXT = "text/plain"

_RANGE = re.compile(r"([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)", re.ASCII)
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


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
        if _RANGE.fullmatch(name) and all(matches):
            yield name.lower(), float(matches[0][1]) if matches and matches[0] else 1.0


def _weight(offer: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """Weight and exactness of the most exact range that covers `offer`; (0, 0) if none does."""
    covering = ("*/*", offer.split("/", maxsplit=1)[0] + "/*", offer)
    found = [(covering.index(name), weight) for name, weight in ranges if name in covering]
    exactness, weight = max(found, default=(0, 0.0))
    return weight, exactness
