"""Validation and masking of URLs in settings.

The validators raise ValidationError with their rule.
"""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError

BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # the naming rules of S3
NO_URL = "must be an http:// or https:// URL"
MAX_PORT = 65_535
POSTGRES = ("postgresql", "postgres", "postgresql+asyncpg")
MASK = "***"

_SECRET = ("pass", "secret", "key")  # in the names of libpq's parameters that hold one


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # an unclosed bracket, or a port that is none
        raise ValidationError("is not a URL") from None
    return parts


def http_url(text: str) -> None:
    """An address over HTTP, without credentials or a query."""
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValidationError(NO_URL)
    if "@" in text:  # wherever it stands: not all agree on where the host begins
        raise ValidationError("must not hold a user or password")


def postgres_url(text: str) -> None:
    """A database."""
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - takes long, and few commands need it

    from service.db.addresses import read_url  # noqa: PLC0415

    try:
        url = read_url(text)
    except (ArgumentError, ValueError):  # no URL, or a port that is none
        raise ValidationError("must be a postgresql:// URL") from None
    if url.drivername not in POSTGRES or not 0 <= (url.port or 0) <= MAX_PORT:
        raise ValidationError("must be a postgresql:// URL")


def shown_postgres(text: str) -> str:
    """A good `postgres_url` without its secrets; nothing of it where these are not certain.

    It is taken apart as it is for connecting, and that is not how others do it: a password
    may hold `/`, `?` and `#`.
    """
    from service.db.addresses import read_url, written  # noqa: PLC0415 - as above

    url = read_url(text)
    has_user = url.username is not None or url.password is not None
    if text.count("@") != has_user:  # one that stands for itself may end a password, or not
        return MASK
    secret = [name for name in url.query if any(word in name.lower() for word in _SECRET)]
    return written(url.difference_update_query(secret), hide_password=True)


def storage_url(text: str) -> None:
    """A folder or a bucket, with a path below it."""
    parts = _split(text)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    is_bucket = parts.scheme == "s3" and re.fullmatch(BUCKET, parts.netloc) is not None
    if not (is_folder or is_bucket) or parts.query or parts.fragment:
        raise ValidationError("must be a file:///absolute/path or s3://bucket/prefix URL")


def jwks_url(text: str) -> None:
    """Where keys are published: by TLS, unless on this machine."""
    parts = _split(text)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValidationError("must be an https:// URL (http:// on this machine only)")
    if not host or "@" in text or parts.fragment:
        raise ValidationError("must have a host, and no user, password or fragment")


def shown_jwks(text: str) -> str:
    """A `jwks_url` without its query, which may be a secret between us and the issuer."""
    address, mark, _ = text.partition("?")
    return address + mark + MASK if mark else address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def root_path(text: str) -> None:
    """A path prefix such as `/arxiv`: segments of safe characters, no slash at the end."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", text):
        raise ValidationError("must be a path such as /arxiv, without a slash at its end")
