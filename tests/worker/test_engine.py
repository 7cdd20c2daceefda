"""Running tasks: order, limits, and what each outcome makes of the task."""

import asyncio
from datetime import timedelta
from time import monotonic

import asyncpg
import pytest

from service.db.addresses import libpq_url
from service.domain.outcomes import Fail, Retry, Snooze
from service.worker.connections import gives_work
from service.worker.task import PRIORITY_LEVEL, PUT_OFF
from tests.worker.conftest import STATES, Leases, gone, none_in_work, running, tasks, until


async def test_a_task_is_run_and_leaves_the_queue(engine, queue, runs, job_id, sql):
    async with running(engine(runs)):
        await queue(tasks(job_id, range(1)))

        assert await runs.begun() == job_id
        await until(lambda: gone(sql))

    assert runs.count == 1


async def test_a_new_task_is_noticed_long_before_the_next_poll(engine, queue, runs, job_id):
    async with running(engine(runs, poll=30)):
        await queue(tasks(job_id, range(1)))
        await runs.begun(seconds=25)  # also waits until the engine listens

        await queue(tasks(job_id, range(1, 2)))

        await runs.begun(seconds=25)


async def test_urgent_tasks_run_first_and_equals_in_order(engine, queue, add_job):
    order = []

    async def note(job_id, _):
        order.append(job_id)
        return Fail("x", "y")

    low, first, second, high = [await add_job() for _ in range(4)]
    await queue(tasks(low, range(1), priority=0))
    await queue(tasks(first, range(1), priority=5) + tasks(second, range(1), priority=5))
    await queue(tasks(high, range(1), priority=9))

    async with running(engine(note, concurrency=2)):
        await until(lambda: _has(order, 4))

    assert order == [high, first, second, low]


async def _has(items, number) -> bool:
    return len(items) == number


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_no_more_run_at_once_than_allowed(engine, queue, job_id, concurrency):
    runs = Leases()
    await queue(tasks(job_id, range(12)))

    async with running(engine(runs, concurrency=concurrency, poll=0.1)):
        for _ in range(concurrency):
            await runs.begun()
        for _ in range(4):  # looks that would take more if they could
            await asyncio.sleep(0.1)
        runs.free.set()
        await until(lambda: _has([None] * runs.count, 12))

    assert runs.most_at_once == concurrency


async def test_a_retry_is_queued_with_its_delay(engine, queue, runs, job_id, sql):
    runs.outcome = Retry(timedelta(hours=1))

    async with running(engine(runs)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await until(lambda: _is(sql, [("queued", False)]))

    assert runs.count == 1


async def _is(sql, rows) -> bool:
    return await sql(STATES) == rows


async def test_a_snoozed_task_comes_back_on_time(engine, queue, runs, job_id):
    runs.outcome = Snooze(timedelta(seconds=1))

    async with running(engine(runs, poll=0.5)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        began = monotonic()
        await runs.begun(seconds=60)

    assert monotonic() - began >= 0.9  # not before its time


@pytest.mark.parametrize(
    ("priority", "delay", "after"),
    [
        (2 * PRIORITY_LEVEL - 1, 60, 2 * PRIORITY_LEVEL - 1 - PUT_OFF),
        (PRIORITY_LEVEL + 5, 60, PRIORITY_LEVEL),
        (2 * PRIORITY_LEVEL - 1, 0, 2 * PRIORITY_LEVEL - 1),
    ],
    ids=["put off", "put off often", "handed back"],
)
async def test_a_task_that_is_put_off_falls_behind_within_its_level(
    engine, queue, job_id, sql, priority, delay, after
):
    runs = Leases(Snooze(timedelta(seconds=delay)))
    await queue(tasks(job_id, range(1), priority=priority))

    runs.free.set()

    async with running(engine(runs)):
        await runs.begun()
        await until(lambda: _was_put_back(sql))
        found = await sql("SELECT priority FROM pgqueuer")

    assert found == [(after,)]


async def _was_put_back(sql) -> bool:
    return await sql("SELECT 1 FROM pgqueuer WHERE attempts > 0") != []


async def test_a_failure_for_good_leaves_the_queue(engine, queue, runs, job_id, sql):
    runs.outcome = Fail("corrupt", "no PDF")

    async with running(engine(runs)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await until(lambda: gone(sql))


FAIL_RETRIES = """
    CREATE FUNCTION fail_retries() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not now'; END $$
"""
FAIL_TRIGGER = """
    CREATE TRIGGER fail_retries BEFORE UPDATE ON pgqueuer FOR EACH ROW
    WHEN (OLD.status = 'picked' AND NEW.status = 'queued') EXECUTE FUNCTION fail_retries()
"""


async def test_a_retry_that_cannot_be_written_leaves_the_task_to_its_lease(
    engine, queue, runs, job_id, sql
):
    await sql(FAIL_RETRIES)
    await sql(FAIL_TRIGGER)
    runs.outcome = Retry(timedelta(0))
    other = Leases()
    other.free.set()
    try:
        async with running(engine(runs, lease=1.5)):
            await queue(tasks(job_id, range(1)))
            await runs.begun()
            await until(lambda: none_in_work(runs))
            left = await sql("SELECT status::text FROM pgqueuer")
    finally:
        await sql("DROP FUNCTION fail_retries CASCADE")

    async with running(engine(other, lease=1.5, poll=0.3)):
        await other.begun()

    assert left == [("picked",)]


async def test_a_handler_with_a_bug_leaves_the_task_to_its_lease(
    engine, queue, job_id, sql, caplog
):
    began = asyncio.Event()

    async def broken(_, __):
        began.set()
        raise ZeroDivisionError

    async with running(engine(broken)):
        await queue(tasks(job_id, range(1)))
        async with asyncio.timeout(60):
            await began.wait()
        await queue(tasks(job_id, range(1)))

    assert await sql("SELECT status::text FROM pgqueuer") == [("picked",)]
    assert [record for record in caplog.records if record.name == "pgqueuer"] == []  # told once


async def test_a_task_is_run_once_however_many_engines_there_are(engine, queue, add_job, sql):
    seen = []

    async def note(job_id, _):
        seen.append(job_id)
        return Fail("x", "y")

    jobs = [await add_job() for _ in range(40)]
    async with running(engine(note)), running(engine(note)):
        for job in jobs:
            await queue(tasks(job, range(1)))
        await until(lambda: gone(sql))

    assert sorted(seen) == sorted(jobs)


async def test_no_more_run_at_once_in_the_fleet_than_allowed(engine, queue, job_id, sql):
    runs = Leases()
    await queue(tasks(job_id, range(10)))

    async with (
        running(engine(runs, fleet_concurrency=3)),
        running(engine(runs, fleet_concurrency=3)),
    ):
        for _ in range(3):
            await runs.begun()
        picked = await sql("SELECT count(*) FROM pgqueuer WHERE status = 'picked'")
        runs.free.set()
        await until(lambda: gone(sql), seconds=20)

    assert picked == [(3,)]
    assert runs.most_at_once == 3
    assert runs.count == 10


async def test_a_task_that_ended_wakes_nobody(database, database_url, sql):
    """A thousand idle workers would look, at each end of each task."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(libpq_url(database_url))
    await connection.add_listener("ch_pgqueuer", lambda *event: heard.put_nowait(event[-1]))
    try:
        await sql("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'x')")
        came = await asyncio.wait_for(heard.get(), 10)
        await sql("DELETE FROM pgqueuer")
        ended = await asyncio.wait_for(heard.get(), 10)
    finally:
        await connection.close()

    assert gives_work(came)
    assert not gives_work(ended)
    assert gives_work("by hand")
