"""Pagination: `limit`, an opaque page token (`cursor`), and `Link: rel="next"`.

A page begins behind the key of the last row of the page before it (keyset), so
it costs the same however far down the list it lies, and rows that come or go
meanwhile shift nothing.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate

from service.api.root_path import public_path
from service.api.schemas.fields import Keywords, QueryInteger, said
from service.domain.papers import clean_text

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_LENGTH = 1000
_DIGEST_BYTES = 6

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one list: how a key is written, and how it is read back.

    `parts` turn the texts of a key into its values, and raise ValueError. A
    checksum makes a cursor that was altered, or comes from another list, an
    error; it is no secret, so every part is checked as well.
    """

    of: str
    parts: Sequence[Callable[[str], Any]]

    def write(self, *key: object) -> str:
        """The cursor behind the row of that key; moments are written exactly."""
        texts = [one.isoformat() if isinstance(one, datetime) else str(one) for one in key]
        body = json.dumps(texts, separators=(",", ":"), ensure_ascii=False).encode()
        return urlsafe_b64encode(self._digest(body) + body).decode().rstrip("=")

    def read(self, text: str) -> tuple[Any, ...]:
        """The key that `write` was given; raises ValueError for any other text."""
        if len(text) > MAX_CURSOR_LENGTH or not text.isascii():
            raise ValueError("not a cursor")
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if digest != self._digest(body):
            raise ValueError("altered, or of another list")
        key = tuple(
            part(_storable(one)) for part, one in zip(self.parts, json.loads(body), strict=True)
        )
        if self.write(*key) != text:
            raise ValueError("not written by us")
        return key

    def _digest(self, body: bytes) -> bytes:
        return hashlib.blake2b(
            body, digest_size=_DIGEST_BYTES, person=self.of.encode()[:16]
        ).digest()


def _storable(text: object) -> str:
    if not isinstance(text, str) or clean_text(text) != text:
        raise ValueError("not text that we wrote")
    return text


def exact_moment(text: str) -> datetime:
    """A moment with its zone, as `Cursors.write` writes it; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)


class CursorField(fields.Field[tuple[Any, ...]]):
    """A cursor of one list, read into the key that it stands for."""

    def __init__(self, cursors: Cursors, **kwargs: Any) -> None:  # noqa: ANN401
        description = "Where the page begins, as the `Link` of the page before says it."
        super().__init__(metadata=said(description), **kwargs)
        self.cursors = cursors
        self.keywords: Keywords = {
            "type": "string",
            "format": f"cursor of {cursors.of}",
            "pattern": "^[A-Za-z0-9_-]+$",
        }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Any, ...]:  # noqa: ANN401
        try:
            return self.cursors.read(value)
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise ValidationError("Not a cursor of this list.") from None


class PageQuerySchema(Schema):
    """Query parameters of every list; each adds its `cursor = CursorField(…)` and filters."""

    limit = QueryInteger(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata=said("At most so many in a page."),
    )


@dataclass(frozen=True, slots=True)
class Listed(Generic[_Row]):
    """The rows of one page, and whether there are more."""

    rows: Sequence[_Row]
    has_more: bool

    @classmethod
    def of(cls, rows: Sequence[_Row], *, limit: int) -> "Listed[_Row]":
        """A page of at most `limit`, cut from rows of which one more was asked for."""
        return cls(rows[:limit], len(rows) > limit)


def next_link(request: web.Request, cursor: str, **more: str) -> dict[str, str]:
    """The header that names the page behind `cursor` (RFC 8288).

    All other parameters are those of `request`, but for `more`.
    """
    url = request.rel_url.update_query(cursor=cursor, **more)
    return {"Link": f'<{public_path(request.app, url)}>; rel="next"'}
