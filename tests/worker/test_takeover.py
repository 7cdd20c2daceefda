"""Who gets the tasks of a worker that stopped renewing its lease, and when."""

import asyncio
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from service.domain.outcomes import Retry, Succeed
from service.worker import queries
from service.worker.queries import builders
from tests.worker.conftest import Leases, gone, none_in_work, running, tasks, until

DIE = (
    "UPDATE pgqueuer SET status = 'picked', queue_manager_id = :dead,"
    " heartbeat = now() - CAST(:ago AS interval)"
)

# As nobody else would write it: whoever renews the lease sets it back to now.
IN_AN_HOUR = "UPDATE pgqueuer SET heartbeat = now() + interval '1 hour'"


async def test_a_silent_worker_loses_its_task_after_its_lease(engine, queue, job_id, sql):
    """A task picked by a worker that is no more: nobody beats its heart."""
    runs = Leases()
    runs.free.set()
    await queue(tasks(job_id, range(1)))
    await sql(DIE, dead=uuid4(), ago=timedelta(0))
    began = monotonic()

    with capture_logs() as lines:
        async with running(engine(runs, lease=1.5, poll=0.3)):
            await runs.begun()

    assert monotonic() - began >= 1.2
    (reclaimed,) = [line for line in lines if line["event"] == "task reclaimed"]
    assert (reclaimed["job_id"], reclaimed["kind"]) == (str(job_id), "test")


async def test_a_task_that_is_claimed_again_in_order_is_not_logged_as_reclaimed(
    engine, queue, job_id, sql
):
    """Neither one that was never claimed before nor a reclaimed one that was put off."""
    runs = Leases(outcome=Retry(timedelta(0)))
    runs.free.set()
    await queue(tasks(job_id, range(1)))
    await sql(DIE, dead=uuid4(), ago=timedelta(hours=1))

    with capture_logs() as lines:
        async with running(engine(runs, lease=15, poll=0.1)):
            for _ in range(3):
                await runs.begun()

    assert len([line for line in lines if line["event"] == "task reclaimed"]) == 1


async def test_a_long_run_is_not_taken_over_while_its_worker_lives(engine, queue, job_id):
    here, there = Leases(), Leases()
    async with running(engine(here, lease=1)):
        await queue(tasks(job_id, range(1)))
        await here.begun()
        async with running(engine(there, lease=1, poll=0.1)):
            with pytest.raises(TimeoutError):
                await there.begun(seconds=3)
        here.free.set()


async def test_tasks_of_the_dead_come_before_all_that_wait(engine, queue, job_id, sql):
    runs = Leases()
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
    runs = Leases()
    runs.free.set()
    await queue(tasks(job_id, range(1), priority=5))
    await sql(DIE, dead=uuid4(), ago=timedelta(seconds=5))
    await queue(tasks(job_id, range(1, 9)))

    async with running(engine(runs)):
        await until(lambda: _is_left(sql, f"test:{job_id}:0"))

    assert runs.count == 8


@pytest.mark.parametrize(
    "outcome", [Succeed(), Retry(timedelta(hours=1))], ids=["done", "to be tried again"]
)
async def test_a_worker_that_was_taken_over_from_changes_nothing(
    engine, queue, job_id, sql, outcome
):
    """Stopped for longer than its lease and continued, it does not know yet what it lost."""
    runs, successor = Leases(outcome), uuid4()
    mine, lost = (f"test:{job_id}:{number}" for number in range(2))
    await queue(tasks(job_id, range(2)))
    async with running(engine(runs, lease=1)):
        await runs.begun()
        await runs.begun()
        await sql(
            f"{IN_AN_HOUR}, queue_manager_id = :to WHERE dedupe_key = :key", to=successor, key=lost
        )
        for _ in range(3):  # its own is renewed, so the other would have been
            await sql(f"{IN_AN_HOUR} WHERE dedupe_key = :key", key=mine)
            await until(lambda: _is_renewed(sql, mine), seconds=20)
        runs.free.set()
        await until(lambda: none_in_work(runs))

    assert await sql(
        "SELECT queue_manager_id, status::text, heartbeat > now() + interval '50 minutes'"
        " FROM pgqueuer WHERE dedupe_key = :key",
        key=lost,
    ) == [(successor, "picked", True)]
    assert (
        await sql("SELECT 1 FROM pgqueuer WHERE dedupe_key = :key AND status = 'picked'", key=mine)
        == []
    )


async def test_what_is_in_work_here_still_is_not_claimed_by_its_own_worker(
    engine, queue, job_id, sql
):
    """Work that does not end when its lease lapses: a claim of its row would be dropped."""
    runs = Stubborn()
    async with running(engine(runs, lease=1, concurrency=2, poll=0.1)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await sql("ALTER TABLE pgqueuer RENAME TO away")
        await sql("UPDATE away SET heartbeat = now() - interval '1 hour'")
        await runs.cancelled.wait()
        await sql("ALTER TABLE away RENAME TO pgqueuer")
        await queue(tasks(job_id, range(1, 2), priority=-1))
        await runs.begun()  # so one was claimed that comes after the lapsed one
        assert await sql(
            "SELECT 1 FROM pgqueuer WHERE heartbeat < now() - interval '50 minutes'"
            " AND dedupe_key = :key",
            key=f"test:{job_id}:0",
        )
        runs.free.set()
        await until(lambda: gone(sql), seconds=20)


class Stubborn(Leases):
    """A handler that does not end when it is cancelled, but when it is let go."""

    def __init__(self):
        super().__init__()
        self.cancelled = asyncio.Event()

    async def __call__(self, job_id, payload):
        try:
            return await super().__call__(job_id, payload)
        except asyncio.CancelledError:
            self.cancelled.set()
            await self.free.wait()
            raise


async def _is_renewed(sql, key) -> bool:
    rows = await sql(
        "SELECT 1 FROM pgqueuer WHERE dedupe_key = :key AND heartbeat <= now()", key=key
    )
    return bool(rows)


async def _is_left(sql, key) -> bool:
    return await sql("SELECT dedupe_key FROM pgqueuer") == [(key,)]


@pytest.mark.parametrize("part", ["_OF_THE_DEAD", "_IN_WORK", "_LAPSED"])
def test_another_claim_of_the_queue_engine_is_refused(monkeypatch, part):
    monkeypatch.setattr(queries, part, ("SELECT what is not there", ""))
    statements = builders()["qbq"]

    with pytest.raises(RuntimeError, match="unknown"):
        statements.build_dequeue_query(
            batch_size=1,
            entrypoints=["test"],
            concurrency_limits=[0],
            queue_manager_id=uuid4(),
            global_concurrency_limit=2,
            heartbeat_timeout=timedelta(seconds=15),
        )


def test_other_writes_of_the_queue_engine_are_refused(monkeypatch):
    monkeypatch.setattr(queries, "_TO_A_TASK", ("WHERE what is not there", ""))
    statements = builders()["qbq"]

    for build in (
        statements.build_update_heartbeat_query,
        statements.build_retry_job_query,
        statements.build_log_job_query,
    ):
        with pytest.raises(RuntimeError, match="unknown"):
            build()
