"""JSON ↔ domain for webhooks: subscriptions, and attempts to deliver."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.pagination import CursorField, Cursors, PageQuerySchema
from service.api.schemas.fields import (
    JOB_ID_EXAMPLE,
    CallbackUrl,
    Keywords,
    ShortList,
    StrictBoolean,
    said,
)
from service.api.schemas.labels import Labels
from service.api.schemas.loading import StrictSchema
from service.domain.webhooks import DeliveryStatus, WebhookEvent

WEBHOOKS = Cursors("webhooks", (UUID,))
DELIVERIES = Cursors("deliveries", (UUID,))

# as the service has answered it: the example in the API description
WEBHOOK_ID_EXAMPLE = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be1f2"
DELIVERY_ID_EXAMPLE = "01a2a7e4-91d4-73c1-b0a4-5d5fb3d1c9aa"
NEW_WEBHOOK_EXAMPLE: dict[str, Any] = {
    "url": "https://hooks.example.org/arxiv",
    "events": ["job.completed", "job.failed"],
    "labels": {"team": "search"},
}
WEBHOOK_EXAMPLE: dict[str, Any] = {
    "webhook_id": WEBHOOK_ID_EXAMPLE,
    **NEW_WEBHOOK_EXAMPLE,
    "paused": False,
    "disabled_at": None,
    "disabled_reason": None,
    "created_by": "me",
    "created_at": "2026-11-22T19:48:42.884717Z",
}
MADE_EXAMPLE: dict[str, Any] = {**WEBHOOK_EXAMPLE, "secret": "whsec_" + "A" * 43 + "="}
REMOVED_WEBHOOK_EXAMPLE = {"message": f"Webhook {WEBHOOK_ID_EXAMPLE} removed successfully"}
DELIVERY_EXAMPLE: dict[str, Any] = {
    "delivery_id": DELIVERY_ID_EXAMPLE,
    "webhook_id": "msg_3f0f8e9e2b7a4a0cb6b37a1f6f2b8d11",
    "subscription_id": WEBHOOK_ID_EXAMPLE,
    "job_id": JOB_ID_EXAMPLE,
    "event": "job.completed",
    "url": "https://hooks.example.org/arxiv",
    "attempt": 1,
    "status": "failed",
    "http_status": 503,
    "error": "http_status",
    "created_at": "2026-11-22T19:48:43.731778Z",
    "next_attempt_at": None,
    "ended_at": "2026-11-22T19:48:43.901112Z",
}
RESENT_EXAMPLE: dict[str, Any] = {
    **DELIVERY_EXAMPLE,
    "attempt": 2,
    "status": "pending",
    "http_status": None,
    "error": None,
    "next_attempt_at": "2026-11-22T19:50:00.106475Z",
    "ended_at": None,
}
EVENTS = "Which ends of jobs it is for; if not given, all."
MATCHED = "Labels that a job must have, all of them; if not given, any job will do."


class Events(ShortList):
    """Some of the events, each once."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        one = fields.Enum(WebhookEvent, by_value=True)
        super().__init__(one, most=len(WebhookEvent), **kwargs)
        self.keywords = {**self.keywords, "uniqueItems": True}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        items = super()._deserialize(value, *args, **kwargs)
        if len(set(items)) < len(items):
            raise ValidationError("Each event once.")
        return items


class WebhookChangeSchema(StrictSchema):
    """The body of PATCH /api/v1/webhooks/{webhook_id}: what is to be changed."""

    keywords: ClassVar[Keywords] = {"minProperties": 1}

    url = CallbackUrl(metadata=said("Where its messages are sent."))
    events = Events(metadata=said("Which ends of jobs it is for."))
    labels = Labels(metadata=said("Labels that a job must have, all of them."))
    paused = StrictBoolean(
        metadata=said("Whether it gets nothing; `false` also enables one that was disabled.")
    )

    @validates_schema
    def check_not_empty(self, data: Mapping[str, Any], **_: object) -> None:
        """A change changes something."""
        if not data:
            raise ValidationError("At least one field is needed.")


class NewWebhookSchema(StrictSchema):
    """The body of POST /api/v1/webhooks."""

    url = CallbackUrl(required=True, metadata=said("Where its messages are sent."))
    events = Events(load_default=lambda: list(WebhookEvent), metadata=said(EVENTS))
    labels = Labels(load_default=dict, metadata=said(MATCHED))
    paused = StrictBoolean(load_default=False, metadata=said("Whether it gets nothing yet."))


class WebhooksQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/webhooks."""

    cursor = CursorField(WEBHOOKS)


class WebhookSchema(Schema):
    """A subscription as it is shown; its secret is shown once, when it is made."""

    webhook_id = fields.UUID(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(validate=validate.OneOf(list(WebhookEvent))), required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    paused = fields.Boolean(required=True)
    disabled_at = fields.DateTime(
        required=True, allow_none=True, metadata=said("When its receiver answered 410.")
    )
    disabled_reason = fields.String(required=True, allow_none=True)
    created_by = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class MadeWebhookSchema(WebhookSchema):
    """A subscription that was just made, with its secret."""

    secret = fields.String(
        required=True, metadata=said("What its messages are signed with; not shown again.")
    )


class DeliveriesQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/webhooks/deliveries."""

    job_id = fields.UUID(metadata=said("Those about this job."))
    status = fields.Enum(DeliveryStatus, by_value=True, metadata=said("Those in this state."))
    cursor = CursorField(DELIVERIES)


class DeliverySchema(Schema):
    """One attempt to deliver a message."""

    delivery_id = fields.UUID(required=True)
    webhook_id = fields.String(
        required=True, metadata=said("The header webhook-id: the same for all attempts.")
    )
    subscription_id = fields.UUID(
        required=True, allow_none=True, metadata=said("Null for the callback_url of a request.")
    )
    job_id = fields.UUID(required=True)
    event = fields.String(required=True, validate=validate.OneOf(list(WebhookEvent)))
    url = fields.String(required=True)
    attempt = fields.Integer(required=True, metadata=said("From 1."))
    status = fields.String(required=True, validate=validate.OneOf(list(DeliveryStatus)))
    http_status = fields.Integer(required=True, allow_none=True)
    error = fields.String(
        required=True, allow_none=True, metadata=said("Why it failed: a stable word.")
    )
    created_at = fields.DateTime(required=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
