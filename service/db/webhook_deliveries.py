"""Attempts to deliver webhooks in SQL: one row each, which ends once and for all."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Interval,
    Select,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rows import first_of, typed
from service.db.tables import jobs
from service.db.webhook_tables import webhook_deliveries, webhooks
from service.domain.errors import NotFound
from service.domain.webhooks import DeliveryStatus

_SAME = ("webhook_id", "subscription_id", "job_id", "event", "url")  # for all attempts


class Delivery(NamedTuple):
    """An attempt to deliver; the columns of `webhook_deliveries`."""

    id: UUID
    webhook_id: str
    subscription_id: UUID | None
    job_id: UUID
    event: str
    url: str
    attempt: int
    status: str
    http_status: int | None
    error: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None


class PendingDelivery(NamedTuple):
    """An attempt that is to be made, and what its subscription says (None: it has none)."""

    delivery: Delivery
    paused: bool | None
    disabled_at: datetime | None
    secret: str | None


class OwnedDelivery(NamedTuple):
    """An attempt, and whose subscription it is for (None: for none)."""

    delivery: Delivery
    owner: str | None
    disabled_at: datetime | None


_COLUMNS = [webhook_deliveries.c[name] for name in Delivery._fields]


class DeliveryStore:
    """All SQL on `webhook_deliveries`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def get_pending(self, delivery_id: UUID) -> PendingDelivery | None:
        """A pending attempt; None when it has ended or is gone."""
        statement: Select[Any] = (
            select(*_COLUMNS, webhooks.c.paused, webhooks.c.disabled_at, webhooks.c.secret)
            .select_from(webhook_deliveries.outerjoin(webhooks))
            .where(
                webhook_deliveries.c.id == delivery_id,
                webhook_deliveries.c.status == DeliveryStatus.PENDING,
            )
        )
        row = (await self._conn.execute(statement)).first()
        return None if row is None else PendingDelivery(Delivery._make(row[:-3]), *row[-3:])

    async def get(self, delivery_id: UUID) -> OwnedDelivery:
        """One attempt; raises NotFound."""
        statement: Select[Any] = (
            select(*_COLUMNS, webhooks.c.created_by, webhooks.c.disabled_at)
            .select_from(webhook_deliveries.outerjoin(webhooks))
            .where(webhook_deliveries.c.id == delivery_id)
        )
        row = (await self._conn.execute(statement)).first()
        if row is None:
            raise NotFound("Delivery not found", code="webhook_not_found")
        return OwnedDelivery(Delivery._make(row[:-2]), *row[-2:])

    async def list_page(
        self, wanted: Mapping[str, Any], *, limit: int, before: UUID | None = None
    ) -> Sequence[Delivery]:
        """Attempts, newest first, from behind `before`; `wanted` maps columns to values."""
        table = webhook_deliveries
        statement = select(*_COLUMNS).order_by(table.c.id.desc()).limit(limit)
        statement = statement.where(*(table.c[name] == value for name, value in wanted.items()))
        if before is not None:
            statement = statement.where(table.c.id < before)
        return typed(Delivery, await self._conn.execute(statement))

    async def end(
        self,
        delivery_id: UUID,
        status: DeliveryStatus,
        *,
        http_status: int | None = None,
        error: str | None = None,
    ) -> Delivery | None:
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
            .returning(*_COLUMNS)
        )
        return first_of(Delivery, await self._conn.execute(statement))

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

    async def add_attempt(self, before: Delivery, *, delay: timedelta) -> Delivery:
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
            .returning(*_COLUMNS)
        )
        (row,) = typed(Delivery, await self._conn.execute(statement))
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
