"""Verification keys: parsing, algorithm check and key ids.

Pure. Settings are checked with it at the start, and what a URL publishes each
time it is looked at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: a key of at least the hash's size
HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
KEY_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA")
MAX_ID_LENGTH = 255
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A secret or a PEM public key. `id` is its name (`kid`, RFC 7515 §4.1.4), if it has one."""

    text: str = field(repr=False)
    id: str | None = None


def named(texts: Sequence[str], ids: Sequence[str]) -> tuple[Key, ...]:
    """Keys of these texts; `ids`, if any, name them in their order."""
    return tuple(Key(text, ids[n] if ids else None) for n, text in enumerate(texts))


def lines(text: str | None) -> tuple[str, ...]:
    """The secrets in `text`, one on each line that is not blank."""
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def pems(text: str | None) -> tuple[str, ...]:
    """The PEM public keys in `text`, one after the other."""
    return tuple(_PEM.findall(text or ""))


def is_fit(pem: str, algorithm: str) -> bool:
    """Whether tokens of the algorithm can be verified with this PEM key, and safely."""
    known = jwt.get_algorithm_by_name(algorithm)
    try:
        return known.check_key_length(known.prepare_key(pem)) is None
    except (ValueError, TypeError, jwt.PyJWTError):  # the key library's, and PyJWT's own
        return False


def published(document: object, algorithm: str) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set (RFC 7517) that may verify tokens of `algorithm`.

    What does not fit is left out: other types and algorithms, keys for
    encryption, private and symmetric ones. Raises ValueError if it is no set.
    """
    match document:
        case {"keys": [*jwks]}:
            found = (_from_jwk(jwk, algorithm) for jwk in jwks if isinstance(jwk, dict))
        case _:
            raise ValueError("no JSON Web Key Set")
    return tuple(key for key in found if key is not None)


def _from_jwk(jwk: Mapping[str, Any], algorithm: str) -> Key | None:
    key_id, uses = jwk.get("kid"), jwk.get("key_ops", ["verify"])
    is_ours = (
        jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(uses, list)
        and "verify" in uses
        and not {"d", "k"} & jwk.keys()
        and (key_id is None or (isinstance(key_id, str) and 0 < len(key_id) <= MAX_ID_LENGTH))
    )
    if not is_ours:
        return None
    try:
        public: Any = jwt.get_algorithm_by_name(algorithm).from_jwk(dict(jwk))
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError):  # of another type, or broken
        return None
    return Key(pem, key_id) if is_fit(pem, algorithm) else None


def mistakes(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the settings of keys: pairs of a variable and what is wrong with it."""
    sources = [n for n in ("JWT_SECRET", "JWT_PUBLIC_KEY", "JWT_JWKS_URL") if given[n] is not None]
    if len(sources) > 1:
        yield sources[-1], f"only one of it and {sources[0]} may be set"
        return
    if given["JWT_SECRET"] is not None:
        yield from _in_secret("JWT_SECRET", given["JWT_SECRET"])
    elif given["JWT_OTHER_SECRETS"] is not None:
        yield "JWT_OTHER_SECRETS", "may be set together with JWT_SECRET only"
    for secret in lines(given["JWT_OTHER_SECRETS"]):
        yield from _in_secret("JWT_OTHER_SECRETS", secret)
    if given["JWT_PUBLIC_KEY"] is not None:
        yield from _in_public_key(given["JWT_PUBLIC_KEY"], given["JWT_ALGORITHM"])
    if sources:
        yield from _in_algorithm(given["JWT_ALGORITHM"], sources[0])
    yield from _in_ids(given)


def _in_algorithm(algorithm: str, source: str) -> Iterator[tuple[str, str]]:
    if source == "JWT_SECRET" and algorithm not in HMAC_ALGORITHMS:
        yield "JWT_ALGORITHM", "must be an HS algorithm with JWT_SECRET"
    elif source != "JWT_SECRET" and algorithm not in KEY_ALGORITHMS:
        yield "JWT_ALGORITHM", f"must be asymmetric with {source}"


def _in_secret(name: str, secret: str) -> Iterator[tuple[str, str]]:
    if len(secret.strip().encode()) < MIN_SECRET_BYTES:
        yield name, f"must have at least {MIN_SECRET_BYTES} bytes"
    elif secret.lstrip().startswith("-----BEGIN"):
        yield name, "is a PEM key; use JWT_PUBLIC_KEY"


def _in_public_key(text: str, algorithm: str) -> Iterator[tuple[str, str]]:
    if not pems(text) or _PEM.sub("", text).strip():
        yield "JWT_PUBLIC_KEY", "must be a PEM public key, or several"
    elif algorithm in KEY_ALGORITHMS and not all(is_fit(pem, algorithm) for pem in pems(text)):
        message = "must be a PEM public key of the kind and size that JWT_ALGORITHM needs"
        yield "JWT_PUBLIC_KEY", message


def _in_ids(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if given["JWT_KEY_IDS"] is None:
        return
    ids = given["JWT_KEY_IDS"].split()
    others = lines(given["JWT_OTHER_SECRETS"])
    number = len(pems(given["JWT_PUBLIC_KEY"])) if given["JWT_PUBLIC_KEY"] else 1 + len(others)
    if given["JWT_JWKS_URL"] is not None:
        yield "JWT_KEY_IDS", "must not be set with JWT_JWKS_URL: the keys there have names"
    elif len(ids) != number or len(set(ids)) != number:
        yield "JWT_KEY_IDS", "must have one name for each key, all different"
    elif max(map(len, ids)) > MAX_ID_LENGTH:
        yield "JWT_KEY_IDS", f"must have names of at most {MAX_ID_LENGTH} characters"
