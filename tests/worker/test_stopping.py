"""Work that is stopped, by a drain, by force or with its job; and what becomes of its task."""

import asyncio
from datetime import timedelta

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager

from service.db.addresses import libpq_url
from service.worker.cancellation import stop_final_jobs
from tests.worker.conftest import STATES, Leases, drained, gone, running, tasks, until


async def forced() -> None:
    """Cancel everything but the test, as a loop does that is closed."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait(others)


async def test_draining_lets_work_end_and_takes_no_more(engine, queue, job_id, sql):
    runs = Leases()
    ours = engine(runs, concurrency=2)

    async with running(ours) as task:
        await queue(tasks(job_id, range(6)))
        await runs.begun()
        await runs.begun()
        ours.stop_taking()
        runs.free.set()
        async with asyncio.timeout(60):
            await task

    assert runs.count == 2
    assert await sql(STATES) == [("queued", True)] * 4


async def test_work_handed_back_is_queued_again(engine, queue, job_id, sql):
    runs = Leases()
    ours = engine(runs)

    async with running(ours) as task:
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await drained(ours, task)

    assert await sql(STATES) == [("queued", True)]


async def test_work_handed_back_is_taken_by_another_at_its_next_look(engine, queue, job_id):
    here, there = Leases(), Leases()
    ours = engine(here)
    async with running(ours) as task:
        await queue(tasks(job_id, range(1)))
        await here.begun()
        async with running(engine(there, poll=0.5)):
            await drained(ours, task)

            await there.begun(seconds=12)
            there.free.set()


async def test_nothing_new_is_begun_once_work_is_handed_back(engine, queue, job_id, sql):
    """A look for tasks may be under way when the drain runs out of time, and find some."""
    runs = Leases()
    ours = engine(runs, poll=0.1)

    async with running(ours) as task:
        ours.release()
        await queue(tasks(job_id, range(1)))
        await until(lambda: _was_tried(sql))
        await drained(ours, task)

    assert runs.count == 0
    assert await sql(STATES) == [("queued", True)]


async def _was_tried(sql) -> bool:
    return (await sql("SELECT attempts FROM pgqueuer")) > [(0,)]


async def test_a_stop_by_force_leaves_the_task_to_its_lease(engine, queue, job_id, sql):
    runs = Leases()

    async with running(engine(runs)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await forced()

    assert [status for status, _ in await sql(STATES)] in (["picked"], ["queued"])


async def test_the_engine_alone_would_delete_it(queue, job_id, sql, database_url):
    """Why handlers run in a task of their own: PgQueuer takes a cancelled run as unwanted."""
    began = asyncio.Event()
    pool = await asyncpg.create_pool(libpq_url(database_url), min_size=2, max_size=4)
    manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))

    @manager.entrypoint("test")
    async def wait_for_ever(_) -> None:
        began.set()
        await asyncio.Event().wait()

    await queue(tasks(job_id, range(1)))
    working = manager.run(
        dequeue_timeout=timedelta(seconds=1), batch_size=1, max_concurrent_tasks=2
    )
    task = asyncio.create_task(working)
    async with asyncio.timeout(60):
        await began.wait()
        await forced()
        pool.terminate()

    assert task.cancelled()
    assert await sql(STATES) == []


async def test_work_for_a_cancelled_job_stops_for_good(engine, queue, database, job_id, sql):
    runs = Leases()
    ours = engine(runs)
    async with running(ours):
        watching = asyncio.create_task(stop_final_jobs(ours, database))
        await queue(tasks(job_id, range(1)))
        await runs.begun()

        await sql("SELECT cancel_job(:job)", job=job_id)
        await until(lambda: gone(sql))
        watching.cancel()
        await asyncio.wait({watching})

    assert runs.count == 1
    assert runs.at_once == 0


async def test_work_for_other_jobs_goes_on(engine, queue, add_job, sql):
    runs = Leases()
    ours, cancelled, other = engine(runs), await add_job(), await add_job()
    async with running(ours):
        await queue(tasks(cancelled, range(1)) + tasks(other, range(1)))
        await runs.begun()
        await runs.begun()

        ours.cancel_job(cancelled)
        await until(lambda: _is_one(sql))

        assert ours.running_jobs() == {other}


async def _is_one(sql) -> bool:
    return len(await sql(STATES)) == 1
