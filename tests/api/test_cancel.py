"""Cancelling: over HTTP and in SQL it is the same thing."""

from uuid import UUID, uuid4

import orjson
import pytest
from structlog.testing import capture_logs

from service.worker.engine import enqueue
from service.worker.task import Task

URL = "/api/v1/ingestion/job/{}"


@pytest.fixture
def queue(database):
    """Queue `number` PDF tasks of a job, of the same papers for every job."""

    async def queue(job_id: UUID, number: int) -> None:
        tasks = [
            Task(kind="pdf", job_id=job_id, key=f"2301.{n:05}", payload={}) for n in range(number)
        ]
        async with database.transaction() as conn:
            assert await enqueue(conn, tasks) == number

    return queue


@pytest.fixture
def add_job(sql):
    async def add_job(status: str = "running") -> UUID:
        ((job_id,),) = await sql(f"INSERT INTO jobs (status) VALUES ('{status}') RETURNING id")
        return job_id

    return add_job


@pytest.fixture
def tasks_of(sql):
    async def tasks_of(job_id: UUID) -> int:
        statement = "SELECT count(*) FROM pgqueuer WHERE headers ->> 'job' = :job"
        return (await sql(statement, job=str(job_id)))[0][0]

    return tasks_of


@pytest.mark.parametrize("status", ["pending", "running"])
async def test_an_active_job_is_cancelled(api, add_job, sql, status):
    job_id = await add_job(status)

    with capture_logs() as lines:
        response = await api.delete(URL.format(job_id))
    shown = await (await api.get(URL.format(job_id))).json()

    assert response.status == 200
    assert await response.read() == orjson.dumps(
        {"message": f"Job {job_id} cancelled successfully"}
    )
    assert shown["status"] == "cancelled"
    assert shown["completed_at"] is not None
    (cancelled,) = [line for line in lines if line["event"] == "job cancelled"]
    assert (cancelled["job_id"], cancelled["by"]) == (str(job_id), "alice")
    assert "requested_by" in cancelled


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_final_job_stays_as_it_is(api, add_job, sql, status):
    job_id = await add_job(status)
    before = await sql("SELECT * FROM jobs")

    with capture_logs() as lines:
        response = await api.delete(URL.format(job_id))
    problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["status"]) == (409, 409)
    assert await sql("SELECT * FROM jobs") == before
    assert "job cancelled" not in {line["event"] for line in lines}


async def test_cancelling_twice_is_a_conflict(api, add_job):
    job_id = await add_job()

    first = await api.delete(URL.format(job_id))
    second = await api.delete(URL.format(job_id))

    assert (first.status, second.status) == (200, 409)


async def test_an_unknown_job_cannot_be_cancelled(api):
    response = await api.delete(URL.format(uuid4()))
    problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["detail"]) == (404, "Job not found")


async def test_only_the_tasks_of_the_job_are_dropped(api, add_job, queue, tasks_of):
    ours, others = await add_job(), await add_job()
    await queue(ours, 50)
    await queue(others, 50)

    await api.delete(URL.format(ours))

    assert (await tasks_of(ours), await tasks_of(others)) == (0, 50)


async def test_operators_cancel_in_sql(sql, add_job, queue, tasks_of):
    ours, others = await add_job(), await add_job()
    await queue(ours, 5)
    await queue(others, 5)

    answers = [await sql("SELECT cancel_job(:job)", job=ours) for _ in range(2)]
    ((status, has_ended),) = await sql(
        "SELECT status, completed_at IS NOT NULL FROM jobs WHERE id = :job", job=ours
    )

    assert answers == [[("cancelled",)], [("already cancelled",)]]
    assert (status, has_ended) == ("cancelled", True)
    assert (await tasks_of(ours), await tasks_of(others)) == (0, 5)


async def test_operators_are_told_when_there_is_no_such_job(sql):
    assert await sql("SELECT cancel_job(gen_random_uuid())") == [("not found",)]


async def test_thousands_of_waiting_tasks_are_dropped_at_once(api, add_job, queue, tasks_of):
    job_id = await add_job()
    await queue(job_id, 2500)

    response = await api.delete(URL.format(job_id))

    assert response.status == 200
    assert await tasks_of(job_id) == 0


async def test_a_task_in_work_is_left_to_its_worker(api, add_job, queue, sql, tasks_of):
    job_id = await add_job()
    await queue(job_id, 2)
    await sql("UPDATE pgqueuer SET status = 'picked' WHERE id = (SELECT min(id) FROM pgqueuer)")

    await api.delete(URL.format(job_id))

    assert await tasks_of(job_id) == 1
