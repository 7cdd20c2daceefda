"""JWT verification with a cache: each token is verified once.

aiohttp-jwt is used for one thing, decoding a token with an explicit algorithm.
What it does not demand is demanded here: `exp`, `sub`, a bounded lifetime. A
token that was found good is remembered by its hash, so that the next request
with it costs a look instead of a signature; its times are judged anew each time.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from time import time
from typing import Any

import jwt
from aiohttp import hdrs, web
from aiohttp_jwt import JWTMiddleware

from service.auth.jwks import KeySet
from service.auth.keys import Key, named
from service.domain.errors import Unauthenticated

MAX_REMEMBERED = 10_000  # some 6 MB; one more puts out the one that was used least lately
MAX_SUBJECT_LENGTH = 255
MAX_DECODERS = 64
_CLAIMS = "claims"
# of PyJWT's errors, the more special before those that it is a kind of
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidAudienceError, "wrong_audience"),
    (jwt.InvalidIssuerError, "wrong_issuer"),
    (jwt.InvalidSignatureError, "bad_signature"),
    (jwt.InvalidAlgorithmError, "bad_signature"),
)
_KEYS_BROUGHT_ALONG = frozenset({"jku", "jwk", "x5u", "x5c"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must fulfil. `leeway` and `max_lifetime` in seconds.

    It is signed by `key` (which also signs), one of `other_keys`, or one that is
    published at `jwks_url`; `key_ids` are the names of the given ones, in order.
    With a `write_scope` a request that changes something needs it in the token's
    `scope` claim: a text of scopes separated by blanks (RFC 8693 §4.2), or a list.
    With an `operator_scope`, so does one that changes what is another caller's.
    """

    key: str | None
    algorithm: str
    other_keys: tuple[str, ...] = ()
    key_ids: tuple[str, ...] = ()
    jwks_url: str | None = None
    issuer: str | None = None
    audience: str | None = None
    leeway: int = 5
    max_lifetime: int = 86_400
    write_scope: str | None = None
    operator_scope: str | None = None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The given keys, the one that signs first; none where they are published at a URL."""
        return () if self.key is None else named((self.key, *self.other_keys), self.key_ids)


@dataclass(frozen=True, slots=True)
class Principal:
    """What a good token says: who, with which scopes, and from when until when it is good."""

    caller: str
    scopes: frozenset[str]
    begins: float
    ends: float

    def has(self, scope: str | None) -> bool:
        """Whether it has `scope`; None: nothing is asked for."""
        return scope is None or scope in self.scopes


class Tokens:
    """Tokens → grants. Only successes are remembered, until they end."""

    def __init__(
        self,
        rules: TokenRules,
        published: KeySet | None = None,
        *,
        clock: Callable[[], float] = time,
        most_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self.rules = rules
        self._published = published
        self._clock = clock
        self._decoder = lru_cache(MAX_DECODERS)(partial(_decoder, rules))
        self._remembered: OrderedDict[bytes, Principal] = OrderedDict()  # latest used last
        self._most_remembered = most_remembered
        if published is not None:
            published.on_change = self._remembered.clear  # a key may have been withdrawn

    def cached(self, text: str) -> Principal | None:
        """The grant that `verify` found for this very text, if it is good now."""
        key = _hash(text)
        grant = self._remembered.get(key)
        if grant is None or not grant.begins <= self._clock() < grant.ends:
            return None
        self._remembered.move_to_end(key)
        return grant

    async def verify(self, text: str, token: str) -> Principal:
        """The grant of `token`, to be found again by `text`; raises Unauthenticated."""
        grant = _grant(await self._claims(token), self.rules)
        now = self._clock()
        if now >= grant.ends:
            raise Unauthenticated("expired")
        if now < grant.begins:
            lasts_too_long = grant.ends - 2 * self.rules.leeway - self.rules.max_lifetime > now
            raise Unauthenticated("lifetime_too_long" if lasts_too_long else "not_yet_valid")
        self._remembered[_hash(text)] = grant
        if len(self._remembered) > self._most_remembered:
            self._remembered.popitem(last=False)
        return grant

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims, by the first of the keys in question that signed them."""
        key_id = _key_id(token)
        if self._published is not None:
            keys = await self._published.find(key_id)
        else:
            keys = tuple(key for key in self.rules.keys if key_id in (None, key.id))
        reason: str | None = None
        for key in keys:
            try:
                return await self._decoder(key.text)(token)
            except Unauthenticated as err:
                # that it was not signed with this key says less than what another key says
                if reason is None or err.reason != "bad_signature":
                    reason = err.reason
        raise Unauthenticated(reason or "unknown_key")


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _key_id(token: str) -> str | None:
    """The name of the key that a token says signed it; raises Unauthenticated.

    Nothing is believed of it. Keys that a token brings along, or wants to be
    fetched, are refused for wanting it (RFC 8725 §3.10).
    """
    try:
        header = jwt.get_unverified_header(token)
    except Exception:  # not only its own: hostile headers make it raise others
        raise Unauthenticated("malformed") from None
    if not _KEYS_BROUGHT_ALONG.isdisjoint(header):
        raise Unauthenticated("malformed")
    key_id: str | None = header.get("kid")  # a text, if it is there: the library has looked
    return key_id


def _grant(claims: Mapping[str, Any], rules: TokenRules) -> Principal:
    """What verified claims grant; raises Unauthenticated unless each is as it must be."""
    subject, expires = claims.get("sub"), claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise Unauthenticated("no_expiry")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise Unauthenticated("no_subject")
    if not subject.isprintable():
        raise Unauthenticated("no_subject")
    if rules.issuer not in (None, claims.get("iss")):
        raise Unauthenticated("wrong_issuer")
    # The decoder has seen to it that these are numbers.
    starts = max(int(claims.get(name, 0)) for name in ("nbf", "iat"))
    return Principal(
        caller=subject,
        scopes=_scopes(claims.get("scope")),
        begins=max(starts, int(expires) - rules.max_lifetime) - rules.leeway,
        ends=int(expires) + rules.leeway,
    )


def _scopes(claim: object) -> frozenset[str]:
    """The scopes of a `scope` claim; none if it has neither of its two proper forms."""
    if isinstance(claim, str):
        return frozenset(claim.split(" ")) - {""}
    if isinstance(claim, list) and all(isinstance(scope, str) for scope in claim):
        return frozenset(claim)
    return frozenset()


def _decoder(rules: TokenRules, key: str) -> Callable[[str], Awaitable[Mapping[str, Any]]]:
    """Claims by the token, if `key` signed it: the library's middleware for that key."""
    # It would log a trace, with the reason, for every bad token.
    logging.getLogger("aiohttp_jwt.middleware").disabled = True
    library = JWTMiddleware(
        key,
        request_property=_CLAIMS,
        token_getter=_shown_token,
        algorithms=[rules.algorithm],
        audience=rules.audience,
        issuer=rules.issuer,
    )

    async def decode(token: str) -> Mapping[str, Any]:
        shown = _Rendered(token)
        try:
            await library(shown, _nothing)
            claims: Mapping[str, Any] = shown[_CLAIMS]
        except Exception as err:
            # Not only its own errors: hostile headers make it raise others.
            claims = _within_leeway(err, token, key, rules)
        return claims

    return decode


class _Rendered(dict[str, Any]):
    """What the library sees of a request: a token, and a place for the claims.

    It writes them under a plain string, which aiohttp's own requests warn about.
    """

    method, path = hdrs.METH_GET, ""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


async def _shown_token(shown: _Rendered) -> str:
    return shown.token


async def _nothing(_: _Rendered) -> web.StreamResponse:
    """What the library's middleware believes to be the handler."""
    return web.Response()


def _within_leeway(err: Exception, token: str, key: str, rules: TokenRules) -> Mapping[str, Any]:
    """The claims, if being a few seconds late or early is all that is wrong.

    The library cannot pass a leeway on; the signature is checked again.
    """
    if rules.leeway and isinstance(
        err.__context__, jwt.ExpiredSignatureError | jwt.ImmatureSignatureError
    ):
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[rules.algorithm],
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway,
            )
        except jwt.PyJWTError:
            pass
        else:
            return claims
    raise Unauthenticated(_reason(err.__context__ or err)) from None


def _reason(err: BaseException) -> str:
    """Why the library refuses a token, in the words of the log."""
    if isinstance(err, jwt.MissingRequiredClaimError):
        return {"aud": "wrong_audience", "iss": "wrong_issuer"}.get(err.claim, "malformed")
    for kind, reason in _REASONS:
        if isinstance(err, kind):
            return reason
    return "malformed"


def issue(
    rules: TokenRules,
    *,
    sub: str,
    ttl_seconds: int,
    scope: str | None = None,
    key: Key | None = None,
) -> str:
    """A token for `sub` that these rules accept for `ttl_seconds`.

    Signed with `key`, or the first of the rules' (HS algorithms only).
    """
    signer = key or rules.keys[0]
    now = int(time())
    claims: dict[str, Any] = {"sub": sub, "iat": now, "exp": now + ttl_seconds}
    optional = {"iss": rules.issuer, "aud": rules.audience, "scope": scope}
    claims |= {name: value for name, value in optional.items() if value is not None}
    headers = None if signer.id is None else {"kid": signer.id}
    return jwt.encode(claims, signer.text, algorithm=rules.algorithm, headers=headers)
