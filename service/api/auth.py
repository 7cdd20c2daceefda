"""Who is asking: aiohttp-jwt, wrapped so that it fails closed.

The library is used for one thing, decoding a token with an explicit algorithm;
its handling of the header (the scheme is matched as a prefix), of its own
errors (text of the token's in the status line), its whitelist (a regex without
an end) and its permission check (broken since Python 3.10) are not. What it
does not demand is demanded here: `exp`, `sub`, a bounded lifetime.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

import jwt
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from aiohttp_jwt import JWTMiddleware

from service.domain.errors import NotAllowed, Unauthenticated

MAX_TOKEN_LENGTH = 8192
MAX_SUBJECT_LENGTH = 255
CLAIMS = "claims"
CALLER: web.RequestKey[str] = web.RequestKey("caller", str)
# RFC 6750 §2.1 and RFC 7515 §3.1: one blank, three base64url parts
_HEADER = re.compile(r"(?i:bearer) ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.ASCII)

_READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must fulfil. `leeway` and `max_lifetime` in seconds.

    With a `write_scope` a request that changes something needs it in the token's
    `scope` claim (a text of scopes separated by blanks, RFC 8693 §4.2).
    """

    key: str
    algorithm: str
    issuer: str | None = None
    audience: str | None = None
    leeway: int = 5
    max_lifetime: int = 86_400
    write_scope: str | None = None


def authentication(
    rules: TokenRules, *, public: frozenset[str], is_active: Callable[[str], bool]
) -> Middleware:
    """A middleware that lets requests with a good token of an active caller through.

    `public` paths are compared exactly. Paths and methods that do not exist are
    left to the router's own answer. Raises Unauthenticated for everything else.
    """
    decode = _decoder(rules)

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in public or request.match_info.http_exception is not None:
            return await handler(request)
        claims = await decode(request)
        caller = _subject(claims, rules)
        if not is_active(caller):
            raise Unauthenticated("Not authenticated")
        if request.method not in _READING and not _covers(claims.get("scope"), rules.write_scope):
            raise NotAllowed("The token does not have the scope that this needs")
        request[CALLER] = caller
        return await handler(request)

    return authenticate


def _decoder(rules: TokenRules) -> Callable[[web.Request], Awaitable[Mapping[str, Any]]]:
    # It would log a trace, with the reason, for every bad token.
    logging.getLogger("aiohttp_jwt.middleware").disabled = True
    library = JWTMiddleware(
        rules.key,
        request_property=CLAIMS,
        token_getter=_shown_token,
        algorithms=[rules.algorithm],
        audience=rules.audience,
        issuer=rules.issuer,
    )

    async def decode(request: web.Request) -> Mapping[str, Any]:
        shown = _Shown(_header_token(request))
        try:
            await library(shown, _nothing)
            claims: Mapping[str, Any] = shown[CLAIMS]
        except Exception as err:
            # Not only its own errors: hostile headers make it raise others.
            claims = _within_leeway(err, shown.token, rules)
        return claims

    return decode


class _Shown(dict[str, Any]):
    """What the library sees of a request: a token, and a place for the claims.

    It writes them under a plain string, which aiohttp's own requests warn about.
    """

    method, path = hdrs.METH_GET, ""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


async def _nothing(_: _Shown) -> web.StreamResponse:
    """What the library's middleware believes to be the handler."""
    return web.Response()


def _within_leeway(err: Exception, token: str, rules: TokenRules) -> Mapping[str, Any]:
    """The claims, if being a few seconds late or early is all that is wrong.

    The library cannot pass a leeway on; the signature is checked again.
    """
    if rules.leeway and isinstance(
        err.__context__, jwt.ExpiredSignatureError | jwt.ImmatureSignatureError
    ):
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                rules.key,
                algorithms=[rules.algorithm],
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway,
            )
        except jwt.PyJWTError:
            pass
        else:
            return claims
    raise Unauthenticated("Not authenticated") from None


async def _shown_token(shown: _Shown) -> str:
    return shown.token


def _header_token(request: web.Request) -> str:
    """The token of the one Authorization header; raises Unauthenticated."""
    values = request.headers.getall(hdrs.AUTHORIZATION, [])
    match = _HEADER.fullmatch(values[0]) if len(values) == 1 else None
    if match is None or len(match[1]) > MAX_TOKEN_LENGTH:
        raise Unauthenticated("Not authenticated")
    return match[1]


def _subject(claims: Mapping[str, Any], rules: TokenRules) -> str:
    """The caller's name; raises Unauthenticated unless every claim is as it must be."""
    subject, expires = claims.get("sub"), claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise Unauthenticated("Not authenticated")
    if expires > time() + rules.max_lifetime + rules.leeway:
        raise Unauthenticated("Not authenticated")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise Unauthenticated("Not authenticated")
    if not subject.isprintable() or rules.issuer not in (None, claims.get("iss")):
        raise Unauthenticated("Not authenticated")
    return subject


def _covers(scopes: object, needed: str | None) -> bool:
    """True when nothing is needed or the claim, in its one proper form, names it."""
    return needed is None or (isinstance(scopes, str) and needed in scopes.split(" "))


def issue(rules: TokenRules, *, sub: str, ttl_seconds: int, scope: str | None = None) -> str:
    """A token for `sub` that these rules accept for `ttl_seconds` (HS algorithms only)."""
    now = int(time())
    claims: dict[str, Any] = {"sub": sub, "iat": now, "exp": now + ttl_seconds}
    optional = {"iss": rules.issuer, "aud": rules.audience, "scope": scope}
    claims |= {name: value for name, value in optional.items() if value is not None}
    return jwt.encode(claims, rules.key, algorithm=rules.algorithm)
