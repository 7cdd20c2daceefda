"""Errors → problem details (RFC 9457): the one place where that is decided.

The outermost middleware. Whatever a handler raises comes out as
`application/problem+json` with a fixed, safe text; what is not of our tree is
logged with its trace and shown as an internal error.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from service.domain.errors import (
    BodyTooSlow,
    Conflict,
    DatabaseUnavailable,
    InvalidRequest,
    KeyReused,
    KeysUnavailable,
    MalformedRequest,
    NotAllowed,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RequestError,
    ServiceError,
    StorageUnavailable,
    TooLarge,
    TooMany,
    TransientError,
    Unauthenticated,
    WrongMediaType,
)

RETRY_AFTER_SECONDS = 2
STATUS_ROUTE = "job"  # its contract answers 500 where the others answer 503

_STATUS_OF: Mapping[type[ServiceError], int] = {
    InvalidRequest: 422,
    MalformedRequest: 400,
    NotFound: 404,
    Conflict: 409,
    KeyReused: 422,
    TooLarge: 413,
    WrongMediaType: 415,
    BodyTooSlow: 408,
    TooMany: 429,
    Unauthenticated: 401,
    NotAllowed: 403,
    RequestError: 400,
    DatabaseUnavailable: 503,
    StorageUnavailable: 503,
    KeysUnavailable: 503,
    TransientError: 503,
}
_HTTP_DETAILS = {
    404: "There is nothing at this path",
    405: "The method is not allowed at this path",
    406: "None of the media types in Accept can be answered at this path",
    412: "The content is another than the one in If-Match",
    413: "The request body is too large",
    416: "The file has no byte in this range",
}

_log = structlog.get_logger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with what `handler` returns, or with the problem that it raises."""
    try:
        return await handler(request)
    except web.HTTPException as err:
        if err.status < 400:
            raise
        return problem(err.status, _HTTP_DETAILS.get(err.status, err.reason), headers=_kept(err))
    except ServiceError as err:
        return _of_ours(request, err)
    except Exception:  # the border: a bug of ours says nothing about our insides
        _log.exception("request failed unexpectedly", method=request.method, path=request.path)
        return problem(500, _detail(request, "internal error"))


def problem(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401 - extension members are any JSON
) -> web.Response:
    """A problem response; `more` are extension members (RFC 9457 §3.2)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    extra = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/problem+json",
        headers=extra,
    )


def _of_ours(request: web.Request, err: ServiceError) -> web.Response:
    status = next((_STATUS_OF[kind] for kind in type(err).__mro__ if kind in _STATUS_OF), 500)
    if isinstance(err, Unauthenticated):
        return problem(401, str(err), headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
    if isinstance(err, InvalidRequest):
        return problem(422, str(err), errors=err.fields)
    if isinstance(err, TooMany):
        return problem(429, str(err), headers=_used_up(err), code=err.code)
    if isinstance(err, Overloaded):
        again = {"Retry-After": str(err.retry_after)}
        return problem(503, str(err), headers=again, code=err.code)
    if isinstance(err, TransientError):
        _log.warning("request not answered", path=request.path, code=err.code)
        status = 500 if _is_status_read(request) else status
        again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return problem(status, _detail(request, str(err)), headers=again)
    if status == 500:
        _log.error("request failed unexpectedly", path=request.path, exc_info=err)
        return problem(500, _detail(request, "internal error"))
    return problem(status, str(err))


def _used_up(err: TooMany) -> dict[str, str]:
    """The fields of a 429; for a rate they are those of every answer, see `rate.py`."""
    again = {"Retry-After": str(err.retry_after)}
    if not isinstance(err, QuotaExceeded):
        return again
    policy = f'"unfinished-jobs";q={err.quota}'
    return {
        **again,
        "RateLimit-Policy": policy,
        "RateLimit": f'"unfinished-jobs";r=0;t={err.retry_after}',
    }


def _detail(request: web.Request, what: str) -> str:
    if _is_status_read(request):
        return f"Failed to get job status: {what}"
    return what[:1].upper() + what[1:]


def _is_status_read(request: web.Request) -> bool:
    is_read = request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
    return (
        is_read
        and request.match_info.route.resource is not None
        and (request.match_info.route.resource.name == STATUS_ROUTE)
    )


def _kept(err: web.HTTPException) -> dict[str, str]:
    return {
        name: err.headers[name] for name in (hdrs.ALLOW, hdrs.CONTENT_RANGE) if name in err.headers
    }
