"""Webhook delivery: one task makes one attempt, and queues the next one where it fails.

At least once: the attempt is recorded after it was made, so one whose worker died in
between is made again, with the same webhook-id. What an attempt ends with and the task of
the next are one transaction.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from service.db.engine import Database
from service.db.jobs import JobStore
from service.db.retry import with_retry
from service.db.webhook_deliveries import Delivery, DeliveryStore, PendingDelivery
from service.db.webhooks import WebhookStore
from service.domain.errors import DatabaseUnavailable, NotFound
from service.domain.jobs import Job
from service.domain.outcomes import OUTAGE_DELAY, Outcome, Snooze, Succeed
from service.domain.webhooks import DeliveryStatus, WebhookSettings, next_wait
from service.jobs.tasks import webhook_task
from service.jobs.webhooks.sender import Answer, Message, WebhookSender
from service.worker.engine import enqueue

PER_HOST = 4  # attempts at once of this process: a receiver that hangs holds up no other
HOST_BUSY = timedelta(seconds=1)
PAUSED = timedelta(minutes=1)
DISABLED = "webhook_disabled"

_log = structlog.get_logger(__name__)

Render = Callable[[Job, str], bytes]


@dataclass(slots=True, kw_only=True)
class WebhookDelivery:
    """Makes attempts. `render` writes the body for a job and an event; `jitter` is in [0, 1)."""

    database: Database
    sender: WebhookSender
    settings: WebhookSettings
    render: Render
    jitter: Callable[[], float]
    _in_flight: Counter[str] = field(default_factory=Counter)

    async def run(self, delivery_id: UUID, _: Mapping[str, Any] | None = None) -> Outcome:
        """Make the attempt of that row of `webhook_deliveries`, unless it has ended."""
        try:
            found = await self._load(delivery_id)
        except DatabaseUnavailable:
            return Snooze(OUTAGE_DELAY)
        if found is None:
            return Succeed()
        pending, job = found
        if pending.paused:
            return Snooze(PAUSED)
        host = URL(pending.delivery.url).host or ""
        if self._in_flight[host] >= PER_HOST:
            return Snooze(HOST_BUSY)
        self._in_flight[host] += 1
        try:
            answer = await self._attempt(pending, job)
        finally:
            self._in_flight[host] -= 1
            self._in_flight += Counter()  # forgets hosts at zero
        await with_retry(lambda: self._record(pending.delivery, answer))
        return Succeed()

    async def _load(self, delivery_id: UUID) -> tuple[PendingDelivery, Job] | None:
        async with self.database.transaction() as conn:
            found = await DeliveryStore(conn).get_pending(delivery_id)
            if found is None:
                return None
            try:
                return found, await JobStore(conn).get(found.delivery.job_id)
            except NotFound:
                return None  # removed this moment, and the delivery with it

    async def _attempt(self, pending: PendingDelivery, job: Job) -> Answer:
        if pending.disabled_at is not None:
            return Answer(error=DISABLED)
        row = pending.delivery
        try:
            secrets = self.settings.secrets if pending.secret is None else (pending.secret,)
            body = self.render(job, row.event)
            message = Message(id=row.webhook_id, url=row.url, body=body, secrets=secrets)
            return await self.sender.send(message)
        except Exception:  # the boundary: a bug fails an attempt, not the worker
            _log.exception("webhook attempt failed unexpectedly", delivery_id=str(row.id))
            return Answer(error="internal")

    async def _record(self, row: Delivery, answer: Answer) -> None:
        is_delivered = answer.error is None
        status = DeliveryStatus.DELIVERED if is_delivered else DeliveryStatus.FAILED
        async with self.database.transaction() as conn:
            ended = await DeliveryStore(conn).end(
                row.id, status, http_status=answer.http_status, error=answer.error
            )
            if ended is not None and not is_delivered:
                await self._go_on(conn, ended, answer)
        facts = {"job_id": str(row.job_id), "webhook_id": row.webhook_id, "attempt": row.attempt}
        if is_delivered:
            _log.info("webhook delivered", **facts, http_status=answer.http_status)
        else:
            _log.info(
                "webhook not delivered",
                **facts,
                http_status=answer.http_status,
                code=answer.error,
            )

    async def _go_on(self, conn: AsyncConnection, ended: Delivery, answer: Answer) -> None:
        """Queue the next attempt, unless this was the last or nobody wants one."""
        if answer.is_gone and ended.subscription_id is not None:
            await WebhookStore(conn).disable(ended.subscription_id, "gone")
        if answer.is_gone or answer.error == DISABLED:
            return
        delay = next_wait(
            self.settings.retry_seconds,
            ended.attempt,
            jitter=self.jitter(),
            wish=answer.retry_after,
        )
        if delay is not None:
            following = await DeliveryStore(conn).add_attempt(ended, delay=delay)
            await enqueue(conn, [webhook_task(following.id, delay=delay)])


async def resend(conn: AsyncConnection, before: Delivery) -> Delivery:
    """Make one more attempt of a delivery now, in place of one that waits; its row."""
    store = DeliveryStore(conn)
    await store.end_pending(before.job_id, before.webhook_id, "superseded")
    row = await store.add_attempt(before, delay=timedelta(0))
    await enqueue(conn, [webhook_task(row.id)])
    return row


async def queue_overdue(database: Database, *, age: timedelta, limit: int) -> int:
    """Queue attempts that were due `age` ago and that no task would make; returns how many.

    Those that wait in the queue are not queued a second time.
    """
    async with database.transaction() as conn:
        overdue = await DeliveryStore(conn).list_overdue(age=age, limit=limit)
        return await enqueue(conn, [webhook_task(delivery_id) for delivery_id in overdue])
