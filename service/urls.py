"""What a URL in the settings must be: validators, each raising ValidationError with its rule."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from marshmallow import ValidationError

BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # the naming rules of S3
NO_URL = "must be an http:// or https:// URL"


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
    if parts.username is not None or parts.password is not None:
        raise ValidationError("must not hold a user or password")


def postgres_url(text: str) -> None:
    """A database."""
    if _split(text).scheme not in ("postgresql", "postgres", "postgresql+asyncpg"):
        raise ValidationError("must be a postgresql:// URL")


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
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise ValidationError("must have a host, and no user, password or fragment")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
