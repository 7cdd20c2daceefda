"""Authentication middleware: one valid bearer token of an unblocked caller, but on public paths.

The header is read here and not by aiohttp-jwt: the library matches the scheme
as a prefix, its whitelist without an end, puts text of the token's into the
status line, and its permission check is broken since Python 3.10.
"""

import re
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from service.api.expectations import require_known_expectation
from service.auth.tokens import Principal, Tokens
from service.domain.errors import NotAllowed, Unauthenticated

MAX_TOKEN_LENGTH = 8192
OUT_OF_SCOPE = "The token lacks the required scope"
PRINCIPAL: web.RequestKey[Principal] = web.RequestKey("grant", Principal)
MAY_WRITE: web.RequestKey[bool] = web.RequestKey("may_write", bool)
MAY_OPERATE: web.RequestKey[bool] = web.RequestKey("may_operate", bool)
# RFC 6750 §2.1 and RFC 7515 §3.1: one blank, three base64url parts
_HEADER = re.compile(r"(?i:bearer) ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.ASCII)

READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


def authentication(
    tokens: Tokens,
    *,
    is_public: Callable[[str], bool],
    require_active: Callable[[str], None],
    admit: Callable[[web.Request, str], None],
) -> Middleware:
    """A middleware that lets requests with a good token of an active caller through.

    Paths that are public need no token. Paths and methods that do not exist are
    left to the router's own answer. Raises Unauthenticated for everything else.
    Once it is known who asks, `require_active` raises for a caller who is not active, and
    `admit` may raise, too: one middleware costs less than two.
    """
    rules = tokens.rules

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_public(request.path) or request.match_info.http_exception is not None:
            require_known_expectation(request)
            return await handler(request)
        header = _header(request)
        grant = tokens.cached(header) or await tokens.verify(header, _token(header))
        require_active(grant.caller)
        request[PRINCIPAL] = grant
        request[MAY_WRITE] = may_write = grant.has(rules.write_scope)
        request[MAY_OPERATE] = grant.has(rules.operator_scope)
        if request.method not in READING and not may_write:
            raise NotAllowed(OUT_OF_SCOPE)
        admit(request, grant.caller)
        require_known_expectation(request)
        return await handler(request)

    return authenticate


def _header(request: web.Request) -> str:
    """The one Authorization header; raises Unauthenticated."""
    values = request.headers.getall(hdrs.AUTHORIZATION, ())
    if len(values) != 1:
        raise Unauthenticated("malformed" if values else "missing")
    return values[0]


def _token(header: str) -> str:
    match = _HEADER.fullmatch(header)
    if match is None or len(match[1]) > MAX_TOKEN_LENGTH:
        raise Unauthenticated("malformed")
    return match[1]


def require_operator(request: web.Request) -> None:
    """Let operators change what concerns everybody; else raise NotAllowed."""
    if not request[MAY_OPERATE]:
        raise NotAllowed(OUT_OF_SCOPE)


def require_ownership(request: web.Request, owner: str | None) -> None:
    """Let a change to what is `owner`'s be made by itself or an operator; else raise NotAllowed."""
    if owner != request[PRINCIPAL].caller and not request[MAY_OPERATE]:
        raise NotAllowed(OUT_OF_SCOPE)
