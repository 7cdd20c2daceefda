"""Strict JSON request bodies: anything but plain JSON in UTF-8 is refused."""

import asyncio
import json
from collections import Counter
from typing import Any, NoReturn

from aiohttp import web
from marshmallow import Schema

from service.api.schemas.loading import load, shown_name
from service.domain.errors import BodyTooSlow, InvalidRequest, MalformedRequest, WrongMediaType

MAX_BODY_BYTES = 1 << 20  # 2,000 ids take some 60 kB
LARGE_BODY_BYTES = 1 << 16  # 1 MiB of JSON takes up to 0.1 s: not on the event loop
BODY_SECONDS: web.AppKey[float] = web.AppKey("body seconds", float)


async def read_json(request: web.Request) -> Any:  # noqa: ANN401 - any JSON
    """The body as parsed JSON; keys of an object must be unique, numbers finite.

    It has BODY_SECONDS to come, however it trickles. Raises WrongMediaType,
    MalformedRequest, InvalidRequest for a key that occurs twice, BodyTooSlow, and
    aiohttp's HTTPRequestEntityTooLarge.
    """
    if request.content_type != "application/json" or "Content-Type" not in request.headers:
        raise WrongMediaType("the body must be application/json")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise MalformedRequest("the body must be encoded in UTF-8")
    raw = await _received(request)
    if len(raw) > LARGE_BODY_BYTES:
        return await asyncio.to_thread(_parsed, raw)
    return _parsed(raw)


async def _received(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(request.app[BODY_SECONDS]):
            return await request.read()
    except TimeoutError:
        raise BodyTooSlow("the body did not arrive in time") from None
    except web.RequestPayloadError:  # not compressed, or not in chunks, as its headers say
        raise MalformedRequest("the body is not encoded as its headers say") from None


def _parsed(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):  # bad bytes, bad JSON, too deep, too many digits
        raise MalformedRequest("the body is not valid JSON") from None


async def read_no_body(request: web.Request) -> None:
    """Make sure that nothing is asked for in a body: there is none, or it is `{}`.

    Raises what `read_json` raises, and InvalidRequest naming the fields.
    """
    if request.can_read_body:
        load(Schema(), await read_json(request))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidRequest({shown_name(name): ["Must be given once."]})
    return document


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
