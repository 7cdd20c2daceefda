"""Webhooks over HTTP: subscriptions, and the attempts to deliver. The workers deliver."""

from typing import Any
from uuid import UUID

from aiohttp import web

from service.api.callbacks import require_target, require_webhooks
from service.api.handlers.jobs import DATABASE, json_response, uuid_of
from service.api.job_status import to_iso8601
from service.api.middlewares.auth import PRINCIPAL, require_ownership
from service.api.openapi.operation import (
    NO_DELIVERY,
    NO_WEBHOOK,
    WEBHOOKS_TAG,
    Content,
    describe,
    json_answer,
    page_answer,
)
from service.api.pagination import Listed, next_link
from service.api.request_body import read_json, read_no_body
from service.api.root_path import public_path
from service.api.schemas.jobs import MessageSchema
from service.api.schemas.loading import load, load_query
from service.api.schemas.webhooks import (
    DELIVERIES,
    DELIVERY_EXAMPLE,
    MADE_EXAMPLE,
    NEW_WEBHOOK_EXAMPLE,
    REMOVED_WEBHOOK_EXAMPLE,
    RESENT_EXAMPLE,
    WEBHOOK_EXAMPLE,
    WEBHOOKS,
    DeliveriesQuerySchema,
    DeliverySchema,
    MadeWebhookSchema,
    NewWebhookSchema,
    WebhookChangeSchema,
    WebhookSchema,
    WebhooksQuerySchema,
)
from service.db.jobs import JobStore
from service.db.webhook_deliveries import Delivery, DeliveryStore
from service.db.webhooks import Webhook, WebhookStore
from service.domain.errors import Conflict, NotFound
from service.jobs.webhooks.delivery import resend
from service.jobs.webhooks.subscriptions import add_webhook, change_webhook

OF_NEW_WEBHOOK = {"webhook_id": "$response.body#/webhook_id"}


@describe(
    name="addWebhook",
    tag=WEBHOOKS_TAG,
    summary="Subscribe to the ends of jobs",
    description="Its messages are signed with a secret of its own, which is shown this once.",
    body=Content(NewWebhookSchema, NEW_WEBHOOK_EXAMPLE),
    answers={
        201: json_answer(
            "Made.",
            MadeWebhookSchema,
            MADE_EXAMPLE,
            headers=("Location",),
            links=dict.fromkeys(("getWebhook", "changeWebhook", "removeWebhook"), OF_NEW_WEBHOOK),
        )
    },
    problems={404: NO_WEBHOOK, 409: "You have 20 webhooks, as many as a caller may have"},
)
async def add(request: web.Request) -> web.Response:
    """POST /webhooks → 201 with the subscription and its secret."""
    require_webhooks(request)
    wanted = load(NewWebhookSchema(), await read_json(request))
    require_target(request, wanted["url"], field="url")
    async with request.app[DATABASE].transaction() as conn:
        row, secret = await add_webhook(conn, wanted, caller=request[PRINCIPAL].caller)
    location = request.app.router["webhook"].url_for(webhook_id=str(row.id))
    return json_response(
        {**webhook_document(row), "secret": secret},
        status=201,
        headers={"Location": public_path(request.app, location)},
    )


@describe(
    name="listWebhooks",
    tag=WEBHOOKS_TAG,
    summary="List subscriptions",
    description="All of them, the oldest first, without their secrets.",
    query=WebhooksQuerySchema,
    answers={200: page_answer(WebhookSchema, WEBHOOK_EXAMPLE)},
    problems={404: NO_WEBHOOK},
)
async def list_webhooks(request: web.Request) -> web.Response:
    """GET /webhooks → 200 with the subscriptions, the oldest first."""
    require_webhooks(request)
    wanted = load_query(WebhooksQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", (None,))
    async with request.app[DATABASE].transaction() as conn:
        found = await WebhookStore(conn).list_page(limit=limit + 1, after=after)
    page = Listed.of(found, limit=limit)
    headers = next_link(request, WEBHOOKS.write(page.rows[-1].id)) if page.has_more else {}
    return json_response([webhook_document(row) for row in page.rows], headers=headers)


@describe(
    name="getWebhook",
    tag=WEBHOOKS_TAG,
    summary="Show a subscription",
    description="Without its secret.",
    answers={200: json_answer("The subscription.", WebhookSchema, WEBHOOK_EXAMPLE)},
    problems={404: NO_WEBHOOK},
)
async def get_webhook(request: web.Request) -> web.Response:
    """GET /webhooks/{webhook_id} → 200 with the subscription."""
    webhook_id = _id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        row = await WebhookStore(conn).get(webhook_id)
    return json_response(webhook_document(row))


@describe(
    name="changeWebhook",
    tag=WEBHOOKS_TAG,
    summary="Change a subscription",
    description=(
        "What the body does not name stays as it is. `paused: false` enables one again that was"
        " disabled because its receiver answered 410."
    ),
    body=Content(WebhookChangeSchema, {"paused": True}),
    answers={
        200: json_answer(
            "The subscription as it is now.", WebhookSchema, {**WEBHOOK_EXAMPLE, "paused": True}
        )
    },
    problems={404: NO_WEBHOOK},
)
async def change(request: web.Request) -> web.Response:
    """PATCH /webhooks/{webhook_id} → 200 with the subscription as it is now."""
    webhook_id = _id_of(request)
    wanted = load(WebhookChangeSchema(), await read_json(request))
    require_target(request, wanted.get("url"), field="url")
    async with request.app[DATABASE].transaction() as conn:
        before = await WebhookStore(conn).get(webhook_id, lock=True)
        require_ownership(request, before.created_by)
        row = await change_webhook(conn, before, wanted)
    return json_response(webhook_document(row))


@describe(
    name="removeWebhook",
    tag=WEBHOOKS_TAG,
    summary="Remove a subscription",
    description="Its deliveries go with it, those that wait included.",
    answers={200: json_answer("Removed.", MessageSchema, REMOVED_WEBHOOK_EXAMPLE)},
    problems={404: NO_WEBHOOK},
)
async def remove(request: web.Request) -> web.Response:
    """DELETE /webhooks/{webhook_id} → 200."""
    webhook_id = _id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        store = WebhookStore(conn)
        require_ownership(request, (await store.get(webhook_id, lock=True)).created_by)
        await store.remove(webhook_id)
    return json_response({"message": f"Webhook {webhook_id} removed successfully"})


@describe(
    name="listDeliveries",
    tag=WEBHOOKS_TAG,
    summary="List deliveries",
    description="Attempts to call back, newest first, of subscriptions and of `callback_url`s.",
    query=DeliveriesQuerySchema,
    answers={200: page_answer(DeliverySchema, DELIVERY_EXAMPLE)},
    problems={404: NO_WEBHOOK},
)
async def list_deliveries(request: web.Request) -> web.Response:
    """GET /webhooks/deliveries → 200 with attempts, newest first."""
    require_webhooks(request)
    wanted = load_query(DeliveriesQuerySchema(), request.query)
    limit, (before,) = wanted["limit"], wanted.get("cursor", (None,))
    filters: dict[str, Any] = {
        name: wanted[name] for name in ("job_id", "status") if name in wanted
    }
    async with request.app[DATABASE].transaction() as conn:
        found = await DeliveryStore(conn).list_page(filters, limit=limit + 1, before=before)
    page = Listed.of(found, limit=limit)
    headers = next_link(request, DELIVERIES.write(page.rows[-1].id)) if page.has_more else {}
    return json_response([delivery_document(row) for row in page.rows], headers=headers)


@describe(
    name="resendDelivery",
    tag=WEBHOOKS_TAG,
    summary="Send a delivery again",
    description=(
        "One more attempt, now, with the same `webhook-id`; in place of one that waits."
        " Takes no body, or `{}`."
    ),
    body=Content({"type": "object", "additionalProperties": False}, {}),
    needs_body=False,
    answers={202: json_answer("The attempt is queued.", DeliverySchema, RESENT_EXAMPLE)},
    problems={404: NO_DELIVERY, 409: "The webhook is disabled"},
)
async def resend_delivery(request: web.Request) -> web.Response:
    """POST /webhooks/deliveries/{delivery_id}/resend → 202 with the new attempt."""
    require_webhooks(request)
    await read_no_body(request)
    delivery_id = uuid_of(request.match_info["delivery_id"])
    if delivery_id is None:
        raise NotFound("Delivery not found", code="webhook_not_found")
    async with request.app[DATABASE].transaction() as conn:
        before, owner, disabled_at = await DeliveryStore(conn).get(delivery_id)
        if before.subscription_id is None:
            owner = await JobStore(conn).requested_by(before.job_id)
        require_ownership(request, owner)
        if disabled_at is not None:
            raise Conflict("The webhook is disabled")
        row = await resend(conn, before)
    return json_response(delivery_document(row), status=202)


def _id_of(request: web.Request) -> UUID:
    require_webhooks(request)
    found = uuid_of(request.match_info["webhook_id"])
    if found is None:
        raise NotFound("Webhook not found", code="webhook_not_found")
    return found


def webhook_document(row: Webhook) -> dict[str, Any]:
    """A subscription as the API shows it, without its secret."""
    return {
        "webhook_id": str(row.id),
        "url": row.url,
        "events": row.events,
        "labels": row.labels,
        "paused": row.paused,
        "disabled_at": to_iso8601(row.disabled_at),
        "disabled_reason": row.disabled_reason,
        "created_by": row.created_by,
        "created_at": to_iso8601(row.created_at),
    }


def delivery_document(row: Delivery) -> dict[str, Any]:
    """An attempt as the API shows it."""
    return {
        "delivery_id": str(row.id),
        "webhook_id": row.webhook_id,
        "subscription_id": None if row.subscription_id is None else str(row.subscription_id),
        "job_id": str(row.job_id),
        "event": row.event,
        "url": row.url,
        "attempt": row.attempt,
        "status": row.status,
        "http_status": row.http_status,
        "error": row.error,
        "created_at": to_iso8601(row.created_at),
        "next_attempt_at": to_iso8601(row.next_attempt_at),
        "ended_at": to_iso8601(row.ended_at),
    }
