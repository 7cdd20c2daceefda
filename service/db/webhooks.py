"""Webhook subscriptions in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rows import first_of, typed
from service.db.webhook_tables import webhooks
from service.domain.errors import NotFound


class Webhook(NamedTuple):
    """A subscription, without its secret, which only `add` takes and a delivery reads."""

    id: UUID
    url: str
    events: Sequence[str]
    labels: Mapping[str, str]
    paused: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    created_by: str | None
    created_at: datetime


_SHOWN = [webhooks.c[name] for name in Webhook._fields]


class WebhookStore:
    """All SQL on `webhooks`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, values: Mapping[str, Any]) -> Webhook:
        """Record a subscription."""
        statement = insert(webhooks).values(**values).returning(*_SHOWN)
        (row,) = typed(Webhook, await self._conn.execute(statement))
        return row

    async def get(self, webhook_id: UUID, *, lock: bool = False) -> Webhook:
        """One subscription, locked if asked for; raises NotFound."""
        statement = select(*_SHOWN).where(webhooks.c.id == webhook_id)
        chosen = statement.with_for_update() if lock else statement
        row = first_of(Webhook, await self._conn.execute(chosen))
        if row is None:
            raise NotFound("Webhook not found", code="webhook_not_found")
        return row

    async def list_page(self, *, limit: int, after: UUID | None = None) -> Sequence[Webhook]:
        """Subscriptions in the order in which they were made, behind `after`, at most `limit`."""
        statement = select(*_SHOWN).order_by(webhooks.c.id).limit(limit)
        if after is not None:
            statement = statement.where(webhooks.c.id > after)
        return typed(Webhook, await self._conn.execute(statement))

    async def count_of(self, caller: str) -> int:
        """How many subscriptions `caller` has made that are still there."""
        mine = select(func.count()).select_from(webhooks).where(webhooks.c.created_by == caller)
        count: int = (await self._conn.execute(mine)).scalar_one()
        return count

    async def change(self, webhook_id: UUID, values: Mapping[str, Any]) -> Webhook:
        """Change a subscription that this transaction has locked."""
        statement = update(webhooks).where(webhooks.c.id == webhook_id).values(**values)
        (row,) = typed(Webhook, await self._conn.execute(statement.returning(*_SHOWN)))
        return row

    async def remove(self, webhook_id: UUID) -> None:
        """Remove a subscription, and all its deliveries."""
        await self._conn.execute(delete(webhooks).where(webhooks.c.id == webhook_id))

    async def disable(self, webhook_id: UUID, reason: str) -> None:
        """Send it nothing any more, as its receiver has asked."""
        await self._conn.execute(
            update(webhooks)
            .where(webhooks.c.id == webhook_id, webhooks.c.disabled_at.is_(None))
            .values(disabled_at=func.now(), disabled_reason=reason)
        )
