"""Attempts to deliver webhooks in SQL: one row each, which ends once and for all."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Interval,
    Row,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import jobs
from service.db.webhook_tables import webhook_deliveries, webhooks
from service.domain.errors import NotFound
from service.domain.webhooks import DeliveryStatus

_SAME = ("webhook_id", "subscription_id", "job_id", "event", "url")  # for all attempts


class DeliveryStore:
    """All SQL on `webhook_deliveries`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get_pending(self, delivery_id: UUID) -> Row[Any] | None:
        """A pending attempt, with `paused`, `disabled_at` and `secret` of its subscription.

        None when it has ended or is gone.
        """
        statement = (
            select(
                *webhook_deliveries.c, webhooks.c.paused, webhooks.c.disabled_at, webhooks.c.secret
            )
            .select_from(webhook_deliveries.outerjoin(webhooks))
            .where(
                webhook_deliveries.c.id == delivery_id,
                webhook_deliveries.c.status == DeliveryStatus.PENDING,
            )
        )
        row: Any = (await self._conn.execute(statement)).first()
        found: Row[Any] | None = row
        return found

    async def get(self, delivery_id: UUID) -> Row[Any]:
        """One attempt, with `owner` and `disabled_at` of its subscription; raises NotFound."""
        statement = (
            select(
                *webhook_deliveries.c,
                webhooks.c.created_by.label("owner"),
                webhooks.c.disabled_at,
            )
            .select_from(webhook_deliveries.outerjoin(webhooks))
            .where(webhook_deliveries.c.id == delivery_id)
        )
        found: Any = (await self._conn.execute(statement)).first()
        if found is None:
            raise NotFound("Delivery not found", code="webhook_not_found")
        row: Row[Any] = found
        return row

    async def list_page(
        self, wanted: Mapping[str, Any], *, limit: int, before: UUID | None = None
    ) -> Sequence[Row[Any]]:
        """Attempts, newest first, from behind `before`; `wanted` maps columns to values."""
        table = webhook_deliveries
        statement = select(*table.c).order_by(table.c.id.desc()).limit(limit)
        statement = statement.where(*(table.c[name] == value for name, value in wanted.items()))
        if before is not None:
            statement = statement.where(table.c.id < before)
        found: Sequence[Row[Any]] = (await self._conn.execute(statement)).all()
        return found

    async def end(
        self,
        delivery_id: UUID,
        status: DeliveryStatus,
        *,
        http_status: int | None = None,
        error: str | None = None,
    ) -> Row[Any] | None:
        """End a pending attempt; its row, or None when somebody has ended it before.

        Its job and its subscription are locked first, against removal: whoever removes one
        locks in that order, too.
        """
        of_attempt = webhook_deliveries.c.id == delivery_id
        subscription = select(webhook_deliveries.c.subscription_id).where(of_attempt)
        await self._lock_job(
            select(webhook_deliveries.c.job_id).where(of_attempt).scalar_subquery()
        )
        await self._conn.execute(
            select(webhooks.c.id)
            .where(webhooks.c.id == subscription.scalar_subquery())
            .with_for_update(read=True, key_share=True)
        )
        statement = (
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.id == delivery_id,
                webhook_deliveries.c.status == DeliveryStatus.PENDING,
            )
            .values(
                status=status,
                http_status=http_status,
                error=error,
                next_attempt_at=None,
                ended_at=func.clock_timestamp(),
            )
            .returning(*webhook_deliveries.c)
        )
        return (await self._conn.execute(statement)).first()

    async def end_pending(self, job_id: UUID, webhook_id: str, error: str) -> None:
        """Fail the pending attempt of a delivery of that job, if there is one.

        The job is locked first, as in `end`.
        """
        await self._lock_job(job_id)
        await self._conn.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.webhook_id == webhook_id,
                webhook_deliveries.c.status == DeliveryStatus.PENDING,
            )
            .values(
                status=DeliveryStatus.FAILED,
                error=error,
                next_attempt_at=None,
                ended_at=func.clock_timestamp(),
            )
        )

    async def _lock_job(self, job_id: Any) -> None:  # noqa: ANN401 - an id, or a query for it
        """Let one transaction at a time end callbacks of a job: its timeline is in their order."""
        await self._conn.execute(
            select(jobs.c.id).where(jobs.c.id == job_id).with_for_update(key_share=True)
        )

    async def add_attempt(self, before: Row[Any], *, delay: timedelta) -> Row[Any]:
        """Record the attempt that follows all others of the delivery of `before`."""
        table = webhook_deliveries
        latest = select(func.max(table.c.attempt)).where(
            table.c.job_id == before.job_id, table.c.webhook_id == before.webhook_id
        )
        statement = (
            insert(table)
            .values(
                **{name: getattr(before, name) for name in _SAME},
                attempt=latest.scalar_subquery() + 1,
                next_attempt_at=func.now() + literal(delay, Interval()),
            )
            .returning(*table.c)
        )
        row: Row[Any] = (await self._conn.execute(statement)).one()
        return row

    async def list_overdue(self, *, age: timedelta, limit: int) -> Sequence[UUID]:
        """Pending attempts that were due `age` ago, the oldest first."""
        statement = (
            select(webhook_deliveries.c.id)
            .where(
                webhook_deliveries.c.status == DeliveryStatus.PENDING,
                webhook_deliveries.c.next_attempt_at
                < func.now() - bindparam("age", age, type_=Interval()),
            )
            .order_by(webhook_deliveries.c.next_attempt_at)
            .limit(limit)
        )
        return (await self._conn.execute(statement)).scalars().all()
