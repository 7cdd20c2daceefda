"""Who gets the tasks of a worker that fell silent, and when."""

from datetime import timedelta
from time import monotonic
from uuid import uuid4

import pytest

from service.worker import queries
from service.worker.queries import builders
from tests.worker.conftest import Runs, gone, running, tasks, until

DIE = (
    "UPDATE pgqueuer SET status = 'picked', queue_manager_id = :dead,"
    " heartbeat = now() - CAST(:ago AS interval)"
)


async def test_a_silent_worker_loses_its_task_after_its_lease(engine, queue, job_id, sql):
    """A task picked by a worker that is no more: nobody beats its heart."""
    runs = Runs()
    runs.free.set()
    await queue(tasks(job_id, range(1)))
    await sql(DIE, dead=uuid4(), ago=timedelta(0))
    began = monotonic()

    async with running(engine(runs, lease=1.5, poll=0.3)):
        await runs.begun(seconds=6)

    assert monotonic() - began >= 1.2


async def test_a_long_run_is_not_taken_over_while_its_worker_lives(engine, queue, job_id):
    here, there = Runs(), Runs()
    async with running(engine(here, lease=1)):
        await queue(tasks(job_id, range(1)))
        await here.begun()
        async with running(engine(there, lease=1, poll=0.1)):
            with pytest.raises(TimeoutError):
                await there.begun(seconds=3)
        here.free.set()


async def test_tasks_of_the_dead_come_before_all_that_wait(engine, queue, job_id, sql):
    runs = Runs()
    await queue(tasks(job_id, range(1), priority=1))
    await sql(DIE, dead=uuid4(), ago=timedelta(minutes=1))
    await queue(tasks(job_id, range(1, 50), priority=2))

    async with running(engine(runs, concurrency=2)):
        await runs.begun()
        taken = await sql("SELECT dedupe_key FROM pgqueuer WHERE status = 'picked'")
        runs.free.set()
        await until(lambda: gone(sql), seconds=20)

    assert (f"test:{job_id}:0",) in taken


async def test_the_last_heartbeat_decides(engine, queue, job_id, sql):
    """What is in work elsewhere is nobody's to take, however urgent."""
    runs = Runs()
    runs.free.set()
    await queue(tasks(job_id, range(1), priority=5))
    await sql(DIE, dead=uuid4(), ago=timedelta(seconds=5))
    await queue(tasks(job_id, range(1, 9)))

    async with running(engine(runs)):
        await until(lambda: _is_left(sql, f"test:{job_id}:0"))

    assert runs.count == 8


async def _is_left(sql, key) -> bool:
    return await sql("SELECT dedupe_key FROM pgqueuer") == [(key,)]


def test_another_claim_of_the_queue_engine_is_refused(monkeypatch):
    monkeypatch.setattr(queries, "_OF_THE_DEAD", ("SELECT what is not there", ""))
    claims = builders()["qbq"]

    with pytest.raises(RuntimeError, match="unknown"):
        claims.build_dequeue_query(
            batch_size=1,
            entrypoints=["test"],
            concurrency_limits=[0],
            queue_manager_id=uuid4(),
            global_concurrency_limit=2,
            heartbeat_timeout=timedelta(seconds=15),
        )
