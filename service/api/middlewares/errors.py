"""Error middleware: whatever a handler raises becomes a problem (RFC 9457), decided here alone.

Each has a stable `code` (`problem_types`), a fixed, safe detail, and the id of its
request; what is not of our tree is logged with its trace and rendered as an internal error.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from service.api.problem_types import PROBLEM_TYPES
from service.api.request_context import X_REQUEST_ID, request_id_of
from service.api.root_path import ROOT_PATH
from service.domain.errors import (
    ArxivNotAsked,
    InvalidRequest,
    Overloaded,
    QuotaExceeded,
    RequestError,
    ServiceError,
    TooMany,
    TransientError,
    Unauthenticated,
)

RETRY_AFTER_SECONDS = 2
CLIENT_LEFT = 499  # as proxies log it: not our failure
STATUS_ROUTE = "job"  # its contract answers 500 where the others answer 503

_HTTP = {  # aiohttp's own, by status: code and detail
    400: ("malformed_request", "The request is malformed"),
    404: ("route_not_found", "Route not found"),
    405: ("method_not_allowed", "The method is not allowed at this path"),
    406: ("not_acceptable", "None of the media types in Accept is available at this path"),
    412: ("precondition_failed", "Precondition failed"),
    413: ("too_large", "The request body is too large"),
    416: ("range_not_satisfiable", "The range is outside the file"),
    417: ("expectation_failed", "The expectation is not supported"),
}
# RFC 6750 §3: reported where it helps an honest caller, and reveals nothing else
_TOKEN_HINTS = {
    "expired": "The token has expired",
    "not_yet_valid": "The token is not valid yet",
    "no_expiry": "The token has no expiry",
    "lifetime_too_long": "The lifetime of the token is too long",
    "wrong_issuer": "The issuer of the token is not accepted",
    "wrong_audience": "The audience of the token is not this service",
}
FAILURE: web.RequestKey[dict[str, str]] = web.RequestKey("failure", dict)  # for the access log

_log = structlog.get_logger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with what `handler` returns, or with the problem that it raises."""
    try:
        return await handler(request)
    except web.HTTPException as err:
        if err.status < 400:
            raise
        code, detail = _HTTP.get(err.status, ("internal_error", "Internal error"))
        return problem(request, code, detail, headers=_kept(err))
    except ServiceError as err:
        return _of_ours(request, err)
    except Exception as err:  # the border: a bug of ours says nothing about our insides
        if request.transport is None or request.transport.is_closing():
            _log.debug("client disconnected", method=request.method, error=type(err).__name__)
            return web.Response(status=CLIENT_LEFT)  # nobody reads it; metrics and log do
        _log.exception("request failed unexpectedly", method=request.method, path=request.path)
        return problem(request, "internal_error", _detail(request, "internal error"))


def problem(
    request: web.BaseRequest,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    root: str | None = None,
    **more: Any,  # noqa: ANN401 - extension members are any JSON
) -> web.Response:
    """The problem of `code` as the response to `request`.

    `status`: another than that of its type. `root`: the path prefix, if the request is
    of no application. `more` are extension members (RFC 9457 §3.2).
    """
    kind = PROBLEM_TYPES[code]
    status = status or kind.status
    if root is None:
        assert isinstance(request, web.Request)
        root = request.app.get(ROOT_PATH, "")
    request[FAILURE] = {"code": code, **request.get(FAILURE, {})}
    response = web.Response(
        status=status,
        body=problem_body(
            code, detail, status=status, root=root, id=request_id_of(request), **more
        ),
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
    response.headers[X_REQUEST_ID] = request_id_of(request)
    response.headers.update(headers or {})
    return response


def problem_body(
    code: str,
    detail: str,
    *,
    status: int,
    root: str,
    id: str,  # noqa: A002 - the request's
    **more: Any,  # noqa: ANN401
) -> bytes:
    """The document of a problem as JSON."""
    document = {
        "type": f"{root}/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": id,
        **more,
    }
    return orjson.dumps(document)


def _of_ours(request: web.Request, err: ServiceError) -> web.Response:
    if isinstance(err, Unauthenticated):
        return _unauthenticated(request, err)
    if isinstance(err, InvalidRequest):
        return problem(request, err.code, str(err), errors=err.fields)
    if isinstance(err, TooMany):
        return problem(request, err.code, str(err), headers=_used_up(err))
    if isinstance(err, Overloaded | ArxivNotAsked):
        again = {"Retry-After": str(err.retry_after)}
        return problem(request, err.code, str(err), headers=again)
    if isinstance(err, TransientError) and err.code in PROBLEM_TYPES:
        status = 500 if _is_status_read(request) else 503
        again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        detail = _detail(request, str(err))
        return problem(request, err.code, detail, status=status, headers=again)
    if isinstance(err, RequestError):
        return problem(request, err.code, str(err))
    _log.error("request failed unexpectedly", path=request.path, exc_info=err)
    return problem(request, "internal_error", _detail(request, "internal error"))


def _unauthenticated(request: web.Request, err: Unauthenticated) -> web.Response:
    request[FAILURE] = {"reason": err.reason}
    challenge, hint = "Bearer", _TOKEN_HINTS.get(err.reason)
    if hint is not None:
        challenge += f' error="invalid_token", error_description="{hint}"'
    return problem(request, err.code, str(err), headers={hdrs.WWW_AUTHENTICATE: challenge})


def _used_up(err: TooMany) -> dict[str, str]:
    """The fields of a 429; for a rate they are those of every answer, see `rate_limit.py`."""
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
