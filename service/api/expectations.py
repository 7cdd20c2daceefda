"""`Expect` header: only `100-continue` is supported (RFC 9110 §10.1.1).

aiohttp refuses it by itself before any middleware, in plain text that repeats what the
client sent. So the header is taken off the message, and what it asked for is noted.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

HAS_UNKNOWN_EXPECTATION: web.RequestKey[bool] = web.RequestKey("unknown_expectation", bool)

RequestFactory = Callable[..., web.BaseRequest]


def without_unknown_expectation(make: RequestFactory) -> RequestFactory:
    """`make`, aiohttp's factory of requests, for messages that may expect anything."""

    def make_plain(message: RawRequestMessage, *args: Any, **options: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's
        expectation = message.headers.get(hdrs.EXPECT)
        if expectation is None or expectation.lower() == "100-continue":
            return make(message, *args, **options)
        headers = CIMultiDict(message.headers)
        del headers[hdrs.EXPECT]
        request = make(message._replace(headers=CIMultiDictProxy(headers)), *args, **options)
        request[HAS_UNKNOWN_EXPECTATION] = True
        return request

    return make_plain


def require_known_expectation(request: web.Request) -> None:
    """Raise HTTPExpectationFailed if the request expects what nobody knows."""
    if HAS_UNKNOWN_EXPECTATION in request:
        raise web.HTTPExpectationFailed
