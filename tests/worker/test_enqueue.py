"""Queueing: tasks exist exactly when the rows they belong to do."""

import json
from datetime import timedelta

import pytest
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from service.worker.engine import enqueue
from service.worker.task import Task
from tests.worker.conftest import tasks

COUNT = "SELECT count(*) FROM pgqueuer"


async def test_tasks_queued_first_in_a_transaction_that_rolls_back_do_not_exist(
    database, job_id, sql
):
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the point
        async with database.transaction() as conn:
            await enqueue(conn, tasks(job_id, range(100)))
            raise ZeroDivisionError

    assert await sql(COUNT) == [(0,)]


async def test_on_the_raw_connection_they_would_exist(database, sql):
    """Why `_TransactionDriver` is there: SQLAlchemy begins with its own first statement."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the point
        async with database.engine.begin() as conn:
            raw = (await conn.get_raw_connection()).driver_connection
            await Queries(AsyncpgDriver(raw)).enqueue(["test"] * 100, [b""] * 100, [0] * 100)
            raise ZeroDivisionError

    assert await sql(COUNT) == [(100,)]


async def test_tasks_commit_with_their_rows(database, sql):
    async with database.transaction() as conn:
        job_id = (await conn.exec_driver_sql("INSERT INTO jobs DEFAULT VALUES RETURNING id")).one()
        await enqueue(conn, tasks(job_id.id, range(3)))
        unseen = await sql(COUNT)

    assert unseen == [(0,)]
    assert await sql(COUNT) == [(3,)]


async def test_a_task_that_waits_already_is_not_queued_again(queue, job_id, sql):
    first = await queue(tasks(job_id, range(100)))
    second = await queue(tasks(job_id, range(50, 150)))

    assert (first, second) == (100, 50)
    assert await sql(COUNT) == [(150,)]


async def test_the_same_key_in_two_jobs_is_two_tasks(queue, add_job, sql):
    ours, others = await add_job(), await add_job()

    queued = [await queue(tasks(job, range(50))) for job in (ours, others)]
    await sql("SELECT cancel_job(:job)", job=ours)

    assert queued == [50, 50]
    assert await sql("SELECT headers ->> 'job', count(*) FROM pgqueuer GROUP BY 1") == [
        (str(others), 50)
    ]


async def test_two_kinds_may_have_the_same_key(queue, job_id):
    both = [Task(kind=kind, job_id=job_id, key="1", payload={}) for kind in ("test", "other")]

    assert await queue(both) == 2


async def test_nothing_to_queue_is_nothing(queue):
    assert await queue([]) == 0


async def test_a_task_carries_its_job_payload_and_delay(queue, job_id, sql):
    task = Task(
        kind="test",
        job_id=job_id,
        key="k",
        payload={"paper": "x"},
        priority=7,
        delay=timedelta(hours=1),
    )

    await queue([task])
    ((kind, payload, headers, priority, is_late),) = await sql(
        "SELECT entrypoint, payload, headers, priority,"
        " execute_after > now() + interval '59 minutes' FROM pgqueuer"
    )

    assert (kind, priority, is_late) == ("test", 7, True)
    assert json.loads(payload) == {"v": 1, "paper": "x"}
    assert headers == {"job": str(job_id)}


async def test_names_in_the_environment_do_not_move_the_queue(queue, job_id, sql, monkeypatch):
    for name in ("CHANNEL", "PREFIX", "QUEUE_TABLE", "FUNCTION", "PGQUEUER_PREFIX"):
        monkeypatch.setenv(name, "elsewhere")

    await queue(tasks(job_id, range(1)))

    assert await sql(COUNT) == [(1,)]
