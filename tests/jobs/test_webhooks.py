"""Webhooks from the end of a job to the receiver: signed, retried, ended; and never a way in."""

import asyncio
import json
from datetime import datetime

import pytest
from aiohttp import web

from service.domain.webhooks import new_secret
from tests.jobs.conftest import TAKES_OVER
from tests.receiver import running_receiver

SECRET, OTHER = new_secret(), new_secret()
SETTINGS = {
    "WEBHOOK_SECRET": f"{SECRET} {OTHER}",
    "WEBHOOK_ALLOWED_HOSTS": "127.0.0.0/8 ::1",
    "WEBHOOK_RETRY_SECONDS": "1 1",
}
ATTEMPTS = (
    "SELECT attempt, status, http_status, error FROM webhook_deliveries ORDER BY job_id, attempt"
)


@pytest.fixture
async def receiver():
    async with running_receiver() as receiver:
        yield receiver


async def attempts(rig, count):
    """The attempts that have ended, once there are `count`."""
    async with asyncio.timeout(60):
        while True:
            found = [tuple(row) for row in await rig.rows(ATTEMPTS)]
            ended = [one for one in found if one[1] != "pending"]
            if len(ended) >= count:
                return ended
            await asyncio.sleep(0.05)


async def subscribe(sql, receiver, **changes):
    values = {"events": ["job.completed"], "labels": {}, "url": receiver.url, **changes}
    rows = await sql(
        "INSERT INTO webhooks (url, events, labels, secret, created_by)"
        " VALUES (:url, :events, CAST(:labels AS jsonb), :secret, 'alice') RETURNING id",
        **{**values, "labels": json.dumps(values["labels"])},
        secret=OTHER,
    )
    return rows[0].id


async def test_the_caller_is_called_back_with_the_status_when_its_job_completes(rig, receiver):
    async with rig.worker(**SETTINGS, ROOT_PATH="/arx"):
        job_id = await rig.submit(callback_url=receiver.url, labels={"team": "search"})
        job = await rig.final(job_id)
        ended = await attempts(rig, 1)

    assert ended == [(1, "delivered", 204, None)]
    headers, body = receiver.received[0]
    for secret in (SECRET, OTHER):  # both sign, so that either may be dropped
        message = receiver.verified(0, secret)
    assert list(message) == ["type", "timestamp", "data"]
    assert message["type"] == "job.completed"
    assert datetime.fromisoformat(message["timestamp"]) == job.completed_at
    data = message["data"]
    assert data["status"] == "completed"
    assert data["progress"]["papers_fetched"] == 10
    assert "request" not in data["stats"]
    assert data["stats"]["labels"] == {"team": "search"}
    assert data["status_url"] == f"/arx/api/v1/ingestion/job/{job_id}"
    assert len(body) < 20_000
    assert headers["webhook-id"].startswith("msg_")
    assert headers["Content-Type"] == "application/json"


async def test_subscriptions_get_what_they_are_for_signed_with_their_own_secret(rig, receiver, sql):
    fits = await subscribe(sql, receiver, labels={"team": "search"})
    await subscribe(sql, receiver, labels={"team": "search", "run": "2"})
    await subscribe(sql, receiver, events=["job.failed"])
    paused = await subscribe(sql, receiver)
    disabled = await subscribe(sql, receiver)
    await sql("UPDATE webhooks SET paused = true WHERE id = :id", id=paused)
    await sql(
        "UPDATE webhooks SET disabled_at = now(), disabled_reason = 'gone' WHERE id = :id",
        id=disabled,
    )
    async with rig.worker(**SETTINGS):
        await rig.final(await rig.submit(labels={"team": "search", "more": "x"}))
        await attempts(rig, 1)

    (row,) = await rig.rows("SELECT subscription_id FROM webhook_deliveries")
    assert row.subscription_id == fits
    assert receiver.verified(0, OTHER)["type"] == "job.completed"


async def test_a_cancelled_job_tells_so_also_when_an_operator_cancels_it_in_sql(rig, receiver, sql):
    job_id = await rig.submit(callback_url=receiver.url)

    await sql("SELECT cancel_job(:id)", id=job_id)

    async with rig.worker(**SETTINGS):
        assert await attempts(rig, 1) == [(1, "delivered", 204, None)]
    assert receiver.verified(0, SECRET)["type"] == "job.cancelled"
    assert receiver.verified(0, SECRET)["data"]["stats"] == {}


async def test_a_failed_job_tells_so(rig, receiver, sql):
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("UPDATE jobs SET status = 'failed' WHERE id = :id", id=job_id)

    async with rig.worker(**SETTINGS):
        await attempts(rig, 1)

    assert receiver.verified(0, SECRET)["type"] == "job.failed"


async def test_what_is_rolled_back_tells_nobody(rig, receiver, database):
    job_id = await rig.submit(callback_url=receiver.url)
    async with database.engine.connect() as conn:
        await conn.exec_driver_sql(f"SELECT cancel_job('{job_id}')")
        await conn.rollback()

    assert await rig.rows(ATTEMPTS) == []
    assert await rig.rows("SELECT 1 FROM pgqueuer WHERE entrypoint = 'webhook'") == []


async def test_an_end_tells_once_however_often_it_is_written(rig, receiver, sql):
    job_id = await rig.submit(callback_url=receiver.url)
    for _ in range(2):
        await sql("SELECT cancel_job(:id)", id=job_id)
    await sql("UPDATE jobs SET resumed = 1 WHERE id = :id", id=job_id)

    assert len(await rig.rows(ATTEMPTS)) == 1


async def cancelled(rig, receiver, sql, **settings):
    """The attempts that a cancelled job made, all of them."""
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("SELECT cancel_job(:id)", id=job_id)
    count = settings.pop("count")
    async with rig.worker(**{**SETTINGS, **settings}):
        return await attempts(rig, count)


async def test_a_receiver_that_fails_is_asked_again_with_the_same_id_and_then_no_more(
    rig, receiver, sql
):
    receiver.reactions = [500]

    ended = await cancelled(rig, receiver, sql, count=3)

    assert ended == [(n, "failed", 500, "http_status") for n in (1, 2, 3)]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert await rig.rows("SELECT 1 FROM pgqueuer WHERE status = 'queued'") == []


async def test_a_receiver_that_comes_back_gets_it(rig, receiver, sql):
    receiver.reactions = [503, 204]

    ended = await cancelled(rig, receiver, sql, count=2)

    assert ended == [(1, "failed", 503, "http_status"), (2, "delivered", 204, None)]


async def test_retry_after_is_heeded(rig, receiver, sql):
    receiver.reactions = [web.Response(status=429, headers={"Retry-After": "3600"})]
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("SELECT cancel_job(:id)", id=job_id)

    async with rig.worker(**SETTINGS):
        await receiver.until(1)
        async with asyncio.timeout(60):
            while len(await rig.rows(ATTEMPTS)) < 2:  # noqa: ASYNC110 - the table tells nobody
                await asyncio.sleep(0.05)

    (row,) = await rig.rows(
        "SELECT extract(epoch FROM next_attempt_at - now()) AS seconds"
        " FROM webhook_deliveries WHERE status = 'pending'"
    )
    assert 3500 < row.seconds <= 3600
    (task,) = await rig.rows(
        "SELECT execute_after > now() + interval '58 minutes' AS late"
        " FROM pgqueuer WHERE entrypoint = 'webhook'"
    )
    assert task.late


async def test_a_redirect_is_a_failure_and_is_not_followed(rig, receiver, sql):
    async with running_receiver() as other:
        receiver.reactions = [web.Response(status=307, headers={"Location": other.url})]

        ended = await cancelled(rig, receiver, sql, count=1, WEBHOOK_RETRY_SECONDS="3600")

        assert ended[0] == (1, "failed", 307, "redirect")
        assert other.received == []


async def test_gone_ends_the_delivery_of_a_callback(rig, receiver, sql):
    receiver.reactions = [410]

    assert await cancelled(rig, receiver, sql, count=1) == [(1, "failed", 410, "gone")]


async def test_gone_disables_a_subscription(rig, receiver, sql):
    receiver.reactions = [410]
    await subscribe(sql, receiver, events=["job.cancelled"])
    for _ in range(2):
        await sql("SELECT cancel_job(:id)", id=await rig.submit())
        async with rig.worker(**SETTINGS):
            await attempts(rig, 1)

    (row,) = await rig.rows("SELECT disabled_at, disabled_reason FROM webhooks")
    assert row.disabled_at is not None
    assert row.disabled_reason == "gone"
    assert len(receiver.received) == 1


async def test_what_a_dead_worker_left_is_delivered_by_the_next(rig, receiver, sql):
    async def hang(_):
        await asyncio.sleep(30)
        return web.Response()

    receiver.reactions = [hang, 204]
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("SELECT cancel_job(:id)", id=job_id)
    async with rig.process(**SETTINGS):
        await receiver.until(1)  # then it is killed

    async with rig.worker(**SETTINGS, **TAKES_OVER):
        assert await attempts(rig, 1) == [(1, "delivered", 204, None)]
    ids = {headers["webhook-id"] for headers, _ in receiver.received}
    assert (len(receiver.received), len(ids)) == (2, 1)


async def test_an_attempt_whose_task_was_lost_is_made_all_the_same(rig, receiver, sql):
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("SELECT cancel_job(:id)", id=job_id)
    await sql("DELETE FROM pgqueuer")
    await sql("UPDATE webhook_deliveries SET next_attempt_at = now() - interval '1 hour'")

    async with rig.worker(**SETTINGS):
        assert await attempts(rig, 1) == [(1, "delivered", 204, None)]


async def test_without_the_secret_nothing_is_sent_and_nothing_is_lost(rig, receiver, sql):
    job_id = await rig.submit(callback_url=receiver.url)
    await sql("SELECT cancel_job(:id)", id=job_id)
    async with rig.worker():
        await rig.final(await rig.submit())
    assert receiver.received == []

    async with rig.worker(**SETTINGS):
        await attempts(rig, 1)


async def test_a_target_that_is_not_allowed_any_more_is_not_called(rig, receiver, sql):
    ended = await cancelled(
        rig,
        receiver,
        sql,
        count=1,
        WEBHOOK_ALLOWED_HOSTS="10.0.0.0/8",
        WEBHOOK_RETRY_SECONDS="3600",
    )

    assert ended[0] == (1, "failed", None, "address_refused")
    assert receiver.received == []
