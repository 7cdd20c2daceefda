"""Access log: one line for each request, with its id, caller, route, status, duration and size.

No query string and no headers, so no token. Probes, `/metrics` and status reads that
went well are nearly all requests, thousands in a second: those are logged at debug.
"""

import logging
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from service.api.fast_path import STATUS_ROUTE, PrerenderedResponse
from service.api.middlewares.auth import PRINCIPAL
from service.api.middlewares.errors import FAILURE
from service.api.request_context import ROUTE, request_id_of, trace_id_of

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
UNMATCHED = "none"

_log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)


class AccessLog(AbstractAccessLogger):
    """aiohttp calls it once an answer has been sent."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log a request that took `time` seconds."""
        is_debug = _is_routine(request, response)
        if is_debug and not _level.isEnabledFor(logging.DEBUG):
            return
        if isinstance(response, PrerenderedResponse):
            request.update(response.noted())
        if is_debug:
            _log.debug("request answered", **_facts(request, response, time))
        else:
            _log.info("request answered", **_facts(request, response, time))


def _facts(
    request: web.BaseRequest, response: web.StreamResponse, seconds: float
) -> dict[str, Any]:
    principal, trace_id = request.get(PRINCIPAL), trace_id_of(request)
    facts: dict[str, Any] = {
        "request_id": request_id_of(request),
        "method": request.method[:20],
        "route": request.get(ROUTE, UNMATCHED),
        "status": response.status,
        "duration_ms": round(seconds * 1000, 1),
        "bytes": response.body_length,
        **request.get(FAILURE, {}),
    }
    facts |= {} if principal is None else {"caller": principal.caller}
    return facts if trace_id is None else {**facts, "trace_id": trace_id}


def _is_routine(request: web.BaseRequest, response: web.StreamResponse) -> bool:
    if type(response) is PrerenderedResponse:  # isinstance takes longer: aiohttp's have an ABC
        return True
    if request.path in _PROBES:
        return True
    is_read = request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
    return is_read and response.status in (200, 304) and request.get(ROUTE) == STATUS_ROUTE
