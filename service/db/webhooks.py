"""Webhook subscriptions in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.webhook_tables import webhooks
from service.domain.errors import NotFound

_SHOWN = [column for column in webhooks.c if column.name != "secret"]


class WebhookStore:
    """All SQL on `webhooks`, on a connection whose transaction is the caller's.

    Rows are those of the table without the secret, which only `add` takes and a delivery reads.
    """

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, values: Mapping[str, Any]) -> Row[Any]:
        """Record a subscription."""
        statement = insert(webhooks).values(**values).returning(*_SHOWN)
        row: Row[Any] = (await self._conn.execute(statement)).one()
        return row

    async def get(self, webhook_id: UUID, *, lock: bool = False) -> Row[Any]:
        """One subscription, locked if asked for; raises NotFound."""
        statement = select(*_SHOWN).where(webhooks.c.id == webhook_id)
        chosen = statement.with_for_update() if lock else statement
        row: Row[Any] | None = (await self._conn.execute(chosen)).first()
        if row is None:
            raise NotFound("Webhook not found", code="webhook_not_found")
        return row

    async def list_page(self, *, limit: int, after: UUID | None = None) -> Sequence[Row[Any]]:
        """Subscriptions in the order in which they were made, behind `after`, at most `limit`."""
        statement = select(*_SHOWN).order_by(webhooks.c.id).limit(limit)
        if after is not None:
            statement = statement.where(webhooks.c.id > after)
        found: Sequence[Row[Any]] = (await self._conn.execute(statement)).all()
        return found

    async def count_of(self, caller: str) -> int:
        """How many subscriptions `caller` has made that are still there."""
        mine = select(func.count()).select_from(webhooks).where(webhooks.c.created_by == caller)
        count: int = (await self._conn.execute(mine)).scalar_one()
        return count

    async def change(self, webhook_id: UUID, values: Mapping[str, Any]) -> Row[Any]:
        """Change a subscription that this transaction has locked."""
        statement = update(webhooks).where(webhooks.c.id == webhook_id).values(**values)
        row: Row[Any] = (await self._conn.execute(statement.returning(*_SHOWN))).one()
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
