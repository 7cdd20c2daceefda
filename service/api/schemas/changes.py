"""The change feed over HTTP: query parameters, tokens, changes."""

from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate

from service.api.job_status import to_iso8601
from service.api.pagination import Cursors
from service.api.schemas.fields import JOB_ID_EXAMPLE, Choices, Keywords, QueryInteger, said
from service.domain.changes import Change, ChangeKind, Place

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_WAIT_SECONDS = 60
LATEST = "latest"


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("not a number that we wrote")
    return int(text)


TOKENS = Cursors(of="changes", parts=(_number, _number))

# as the service has answered it: the example in the API description
CHANGE_EXAMPLE: dict[str, Any] = {
    "token": TOKENS.write(7, 1203),
    "at": "2026-11-22T19:48:43.106475Z",
    "arxiv_id": "2301.00001",
    "version": 2,
    "kind": "version",
    "job_id": JOB_ID_EXAMPLE,
}


class TokenField(fields.Field[Place | None]):
    """A token of the feed as the place that it stands for; `latest`: None."""

    keywords: ClassVar[Keywords] = {
        "type": "string",
        "format": "token of changes",
        "pattern": "^[A-Za-z0-9_-]+$",
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Place | None:  # noqa: ANN401
        if value == LATEST:
            return None
        try:
            return Place(*TOKENS.read(value))
        except (ValueError, TypeError, RecursionError, OverflowError):
            raise ValidationError("Not a token of the change feed.") from None


class ChangeQuerySchema(Schema):
    """Query parameters of GET /api/v1/papers/changes."""

    after = TokenField(
        metadata=said(
            "The token of the last change that was seen, or that of `Link`; `latest`: from now"
            " on. Not given: from the beginning of what is kept."
        )
    )
    limit = QueryInteger(
        validate=validate.Range(1, MAX_LIMIT),
        metadata=said(f"At most so many changes; not given: {DEFAULT_LIMIT}."),
    )
    kind = Choices(ChangeKind, metadata=said("Changes of this kind only."))
    wait = QueryInteger(
        load_default=0,
        validate=validate.Range(0, MAX_WAIT_SECONDS),
        metadata=said("How many seconds to wait for a change, where there is none yet."),
    )


class ChangeSchema(Schema):
    """One change of one paper."""

    token = fields.String(
        required=True, metadata=said("Its place in the feed; `after` it the next change comes.")
    )
    at = fields.DateTime(required=True, metadata=said("When it changed."))
    arxiv_id = fields.String(required=True, metadata=said("Without its version."))
    version = fields.Integer(
        required=True, metadata=said("The paper's, or that of the PDF, text or document.")
    )
    kind = fields.Enum(ChangeKind, by_value=True, required=True)
    job_id = fields.UUID(
        required=True, allow_none=True, metadata=said("The job that changed it, if one did.")
    )


def token_of(place: Place) -> str:
    """The token that stands for a place in the feed."""
    return TOKENS.write(*place)


def change_document(change: Change) -> dict[str, Any]:
    """What `ChangeSchema` describes."""
    return {
        "token": token_of(change.place),
        "at": to_iso8601(change.at),
        "arxiv_id": change.arxiv_id,
        "version": change.version,
        "kind": change.kind,
        "job_id": None if change.job_id is None else str(change.job_id),
    }
