"""Reading a JSON request body strictly: what is not plain JSON in UTF-8 is refused."""

import json
from typing import Any, NoReturn

from aiohttp import web

from service.domain.errors import MalformedRequest, WrongMediaType

MAX_BODY_BYTES = 1 << 20  # 2,000 ids take some 60 kB


async def read_json(request: web.Request) -> Any:  # noqa: ANN401 - any JSON
    """The body as parsed JSON; keys of an object must be unique, numbers finite.

    Raises WrongMediaType, MalformedRequest, and aiohttp's HTTPRequestEntityTooLarge.
    """
    if request.content_type != "application/json" or "Content-Type" not in request.headers:
        raise WrongMediaType("the body must be application/json")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise MalformedRequest("the body must be encoded in UTF-8")
    try:
        raw = await request.read()
    except web.RequestPayloadError:  # not compressed, or not in chunks, as its headers say
        raise MalformedRequest("the body is not encoded as its headers say") from None
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):  # bad bytes, bad JSON, too deep, too many digits
        raise MalformedRequest("the body is not valid JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
