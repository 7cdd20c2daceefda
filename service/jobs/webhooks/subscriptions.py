"""Webhook subscriptions: made with a secret of their own, up to a bound for each caller."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.callers import CallerStore
from service.db.webhooks import Webhook, WebhookStore
from service.domain.errors import Conflict
from service.domain.webhooks import new_secret

MAX_PER_CALLER = 20  # each may be a delivery for every job that ends


async def add_webhook(
    conn: AsyncConnection, wanted: Mapping[str, Any], *, caller: str
) -> tuple[Webhook, str]:
    """Record a subscription of `url`, `events`, `labels` and `paused`; its row and its secret.

    Raises Conflict when `caller` has MAX_PER_CALLER.
    """
    store = WebhookStore(conn)
    await CallerStore(conn).take_slot(caller)  # for the count to be exact
    if await store.count_of(caller) >= MAX_PER_CALLER:
        raise Conflict(f"You have {MAX_PER_CALLER} webhooks, as many as a caller may have")
    secret = new_secret()
    return await store.add({**wanted, "secret": secret, "created_by": caller}), secret


async def change_webhook(
    conn: AsyncConnection, before: Webhook, wanted: Mapping[str, Any]
) -> Webhook:
    """Change a subscription whose row `before` is locked; not paused any more, it is enabled."""
    values = dict(wanted)
    if values.get("paused") is False:
        values |= {"disabled_at": None, "disabled_reason": None}
    return await WebhookStore(conn).change(before.id, values)
