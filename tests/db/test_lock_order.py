"""Who takes several rows takes them in one order: two that meet wait, and none is thrown out."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.db.webhook_deliveries import DeliveryStore
from service.domain.webhooks import DeliveryStatus
from service.jobs.maintenance.maintenance import queue_orphaned
from service.jobs.results import ResultWriter
from tests.conftest import make_paper
from tests.db.test_papers import upsert
from tests.db.test_results import result

IDS = ("2301.00001", "2301.00002", "2301.00003")
HELD = "SELECT 1 FROM papers WHERE arxiv_id = '2301.00002' FOR UPDATE"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


async def until_waiting(conn, number: int) -> None:
    """Return when so many sessions wait for a lock, as `conn` sees it."""
    async with asyncio.timeout(60):
        while True:
            await conn.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
            if (await conn.exec_driver_sql(WAITING)).scalar_one() >= number:
                return
            await conn.exec_driver_sql("SELECT pg_sleep(0.01)")


async def both_meet(database, held: str, first, second):
    """Start both while the row of `held` is locked, let go when both wait; what they return."""
    async with database.transaction() as conn:
        await conn.exec_driver_sql(held)
        tasks = [asyncio.create_task(first())]
        await until_waiting(conn, 1)
        tasks.append(asyncio.create_task(second()))
        await until_waiting(conn, 2)
    async with asyncio.timeout(60):
        return await asyncio.gather(*tasks)


async def test_batches_in_opposite_order_wait_for_each_other(database, other_database):
    """Unsorted, each would hold one end when the middle comes free: a deadlock."""
    await upsert(database, *(make_paper(f"{one}v1") for one in IDS))
    newer = [make_paper(f"{one}v2") for one in IDS]

    written = await both_meet(
        database,
        HELD,
        lambda: upsert(database, *newer),
        lambda: upsert(other_database, *reversed(newer)),
    )

    assert [len(one) for one in written] == [3, 0]


async def test_papers_are_locked_in_the_order_of_their_ids(database, other_database, sql):
    """However the rows lie in the table, in which order a scan would come by them."""
    await upsert(database, *(make_paper(f"{one}v1") for one in IDS))
    await sql("UPDATE papers SET title = 'moved behind' WHERE arxiv_id = '2301.00001'")

    async def lock(pool, ids) -> None:
        async with pool.transaction() as conn:
            await conn.execute(text("SET LOCAL enable_indexscan TO off"))
            await conn.execute(text("SET LOCAL enable_bitmapscan TO off"))
            await PaperStore(conn).lock(ids)

    async def write_in_order() -> None:
        async with other_database.transaction() as conn:
            for one in IDS:
                await conn.execute(
                    text("SELECT 1 FROM papers WHERE arxiv_id = :id FOR UPDATE"), {"id": one}
                )

    await both_meet(database, HELD, lambda: lock(database, reversed(IDS)), write_in_order)


async def test_jobs_are_locked_in_the_order_of_their_ids(database, other_database, sql):
    rows = await sql(
        "INSERT INTO jobs (status, started_at) SELECT 'running', now()"
        " FROM generate_series(1, 3) RETURNING id"
    )
    jobs = sorted(row.id for row in rows)
    await sql("UPDATE jobs SET pages_fetched = 1 WHERE id = :id", id=jobs[0])  # last in the table

    async def lock() -> None:
        async with database.transaction() as conn:
            await conn.execute(text("SET LOCAL enable_indexscan TO off"))
            await conn.execute(text("SET LOCAL enable_bitmapscan TO off"))
            await JobStore(conn).lock(jobs)

    async def write_in_order() -> None:
        async with other_database.transaction() as conn:
            for one in jobs:
                await conn.execute(
                    text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"), {"id": one}
                )

    held = f"SELECT 1 FROM jobs WHERE id = '{jobs[1]}' FOR UPDATE"
    await both_meet(database, held, lock, write_in_order)


async def test_who_records_results_has_the_job_before_its_papers(
    database, other_database, add_job, sql
):
    """Its papers are free while it waits for the job, as for a harvest that is storing them."""
    job_id = await add_job(1)
    recorder = ResultWriter(database, gathering=timedelta(0))
    writing = asyncio.create_task(recorder.run())
    async with other_database.transaction() as conn:
        assert await JobStore(conn).lock([job_id]) == {job_id}
        recording = asyncio.create_task(recorder.record(result(job_id, 0, "downloaded")))
        await until_waiting(conn, 1)

        free = "SELECT count(*) FROM (SELECT 1 FROM papers FOR UPDATE SKIP LOCKED) free"
        assert (await conn.exec_driver_sql(free)).scalar_one() == 1
        free = "SELECT count(*) FROM (SELECT 1 FROM job_papers FOR UPDATE SKIP LOCKED) free"
        assert (await conn.exec_driver_sql(free)).scalar_one() == 1

    async with asyncio.timeout(60):
        await recording
    writing.cancel()
    await asyncio.wait({writing})
    assert await sql("SELECT state FROM job_papers") == [("downloaded",)]


async def test_who_queues_lost_tasks_waits_for_their_job(database, other_database, sql):
    """Else a task would be queued for a step that is being stored, or a job being cancelled."""
    ((job_id,),) = await sql(
        "INSERT INTO jobs (status, started_at, taken_up_at, request)"
        " VALUES ('running', now(), now() - interval '1 hour', '{}') RETURNING id"
    )
    assert await sql("SELECT job_id FROM stranded_work") == [(job_id,)]
    async with other_database.transaction() as conn:
        await JobStore(conn).lock([job_id])
        queueing = asyncio.create_task(queue_orphaned(database))
        await until_waiting(conn, 1)
        await JobStore(conn).cancel(job_id)

    async with asyncio.timeout(60):
        assert await queueing == 0


async def test_who_ends_a_callback_waits_for_its_job_before_it_touches_the_callback(
    database, other_database, sql
):
    """Whoever removes the job has that lock first, and the rows of its callbacks last."""
    ((job_id,),) = await sql("INSERT INTO jobs DEFAULT VALUES RETURNING id")
    ((delivery_id,),) = await sql(
        "INSERT INTO webhook_deliveries (webhook_id, job_id, event, url, attempt, next_attempt_at)"
        " VALUES ('msg_1', :job, 'job.completed', 'https://example.org', 1, now()) RETURNING id",
        job=job_id,
    )

    async def end() -> object:
        async with database.transaction() as conn:
            return await DeliveryStore(conn).end(delivery_id, DeliveryStatus.DELIVERED)

    async with other_database.transaction() as conn:
        await conn.execute(text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
        ending = asyncio.create_task(end())
        await until_waiting(conn, 1)
        await conn.execute(text("DELETE FROM jobs WHERE id = :id"), {"id": job_id})

    async with asyncio.timeout(60):
        assert await ending is None
    assert await sql("SELECT 1 FROM job_events") == []
