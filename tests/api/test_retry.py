"""Retrying a job over HTTP: what is recorded, and what is refused."""

import asyncio
from uuid import UUID

import orjson
import pytest

from tests.conftest import make_request

URL = "/api/v1/ingestion/job/{}/retry"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def ended(sql):
    """A job as one that ended, with papers in `states`; its id."""

    async def ended(status="completed", states=("failed",), *, harvested=True, caller="bob"):
        ((job_id,),) = await sql(
            "INSERT INTO jobs (status, request, is_harvested, requested_by, papers_total,"
            " papers_fetched, priority) VALUES (:status, CAST(:request AS jsonb), :harvested,"
            " :caller, 10, 5, 'high') RETURNING id",
            status=status,
            request=orjson.dumps(make_request().dump()).decode(),
            harvested=harvested,
            caller=caller,
        )
        for number, state in enumerate(states):
            await sql(
                "INSERT INTO job_papers (job_id, arxiv_id, version, state)"
                " VALUES (:job, :id, 1, :state)",
                job=job_id,
                id=f"2301.{number:05}",
                state=state,
            )
        return job_id

    return ended


async def refusal(response):
    problem = await response.json(content_type="application/problem+json")
    return response.status, problem["detail"]


async def test_a_retry_is_a_new_job_with_a_task_and_the_old_one_stays_as_it_is(api, sql, ended):
    job_id = await ended(states=("failed", "failed", "processed"))
    before = await sql("SELECT * FROM jobs")

    response = await api.post(URL.format(job_id))
    body = await response.json()

    assert response.status == 202
    assert response.headers["Location"] == f"/api/v1/ingestion/job/{body['job_id']}"
    assert body["retry_of"] == str(job_id)
    assert (body["status"], body["estimated_papers"]) == ("pending", 2)
    assert body["search_criteria"]["category"] == "cs.AI"
    assert await sql("SELECT * FROM jobs WHERE id = :old", old=job_id) == before
    ((status, priority, caller, retry_of),) = await sql(
        "SELECT status, priority, requested_by, retry_of FROM jobs WHERE id = :new",
        new=UUID(body["job_id"]),
    )
    assert (status, priority, caller, retry_of) == ("pending", "high", "alice", job_id)
    assert await sql("SELECT entrypoint, headers ->> 'job' FROM pgqueuer") == [
        ("harvest", body["job_id"])
    ]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
@pytest.mark.parametrize("states", [(), ("processed",), ("pending", "downloaded", "failed")])
async def test_a_job_that_ended_early_goes_on_with_its_list(api, sql, ended, status, states):
    job_id = await ended(status, states, harvested=False)

    body = await (await api.post(URL.format(job_id))).json()

    unfinished = len([state for state in states if state != "processed"])
    assert body["estimated_papers"] == unfinished + 5


@pytest.mark.parametrize("status", ["pending", "running"])
async def test_a_job_that_is_not_final_is_a_conflict(api, sql, ended, status):
    response = await api.post(URL.format(await ended(status)))

    assert await refusal(response) == (
        409,
        f"The job is {status}; only a finished job can be retried",
    )
    assert await sql("SELECT 1 FROM pgqueuer") == []


@pytest.mark.parametrize("states", [(), ("processed", "unavailable", "skipped")])
async def test_a_job_without_failed_papers_is_a_conflict(api, sql, ended, states):
    response = await api.post(URL.format(await ended(states=states)))

    assert await refusal(response) == (409, "The job has no failed papers")
    assert await sql("SELECT count(*) FROM jobs") == [(1,)]


async def test_a_job_whose_request_nobody_can_read_is_a_conflict(api, sql):
    ((job_id,),) = await sql("INSERT INTO jobs (status) VALUES ('failed') RETURNING id")

    response = await api.post(URL.format(job_id))

    assert await refusal(response) == (409, "The stored request of the job cannot be read")


async def test_of_many_retries_at_once_one_is_recorded(api, sql, ended):
    job_id = await ended()

    answers = await asyncio.gather(*(api.post(URL.format(job_id)) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [202] + [409] * 7
    ((new,),) = await sql("SELECT id FROM jobs WHERE retry_of = :old", old=job_id)
    details = {(await refusal(answer))[1] for answer in answers if answer.status == 409}
    assert details == {f"The job is being retried already, by job {new}"}


async def test_a_job_may_be_retried_again_once_its_retry_has_ended(api, sql, ended):
    job_id = await ended()
    first = await (await api.post(URL.format(job_id))).json()
    await sql("UPDATE jobs SET status = 'cancelled' WHERE id = :id", id=UUID(first["job_id"]))

    second = await (await api.post(URL.format(job_id))).json()

    assert second["job_id"] != first["job_id"]


async def test_the_same_key_names_the_same_retry_for_ever(api, serve, sql, ended):
    job_id = await ended()
    key = {"Idempotency-Key": "again"}

    answers = await asyncio.gather(*(api.post(URL.format(job_id), headers=key) for _ in range(5)))
    bodies = [await answer.read() for answer in answers]
    await sql("UPDATE jobs SET status = 'completed'")
    later = await api.post(URL.format(job_id), headers=key)
    others = await (await serve(sub="bob")).post(URL.format(job_id), headers=key)

    assert {answer.status for answer in (*answers, later)} == {202}
    assert {*bodies, await later.read()} == {bodies[0]}
    assert (await others.json())["job_id"] != (await later.json())["job_id"]


async def test_a_key_used_for_something_else_is_refused(api, sql, ended):
    one, other = await ended(), await ended()
    key = {"Idempotency-Key": "once"}
    submitted = make_request().dump()
    await api.post(URL.format(one), headers=key)

    answers = [
        await refusal(await api.post(URL.format(other), headers=key)),
        await refusal(await api.post("/api/v1/ingestion/arxiv", json=submitted, headers=key)),
    ]
    await api.post(
        "/api/v1/ingestion/arxiv", json=submitted, headers={"Idempotency-Key": "submitted"}
    )
    answers.append(
        await refusal(await api.post(URL.format(other), headers={"Idempotency-Key": "submitted"}))
    )

    assert answers == [(422, "this Idempotency-Key was used with another request")] * 3


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", JSON, 202),
        (b'{"arxiv_ids":[]}', JSON, 422),
        (b"[]", JSON, 422),
        (b"{", JSON, 400),
        (b"x", {}, 415),
        (b"", {"Idempotency-Key": "x" * 256}, 400),
        (b"", {}, 202),
    ],
)
async def test_a_retry_takes_no_body(api, sql, ended, body, headers, status):
    response = await api.post(URL.format(await ended()), data=body, headers=headers)

    assert response.status == status
    assert await sql("SELECT count(*) FROM jobs WHERE retry_of IS NOT NULL") == [
        (int(status == 202),)
    ]


@pytest.mark.parametrize("job_id", [str(UUID(int=7)), "abc", "%00"])
async def test_an_unknown_job_cannot_be_retried(api, job_id):
    assert await refusal(await api.post(URL.format(job_id))) == (404, "Job not found")


async def test_other_methods_are_refused(api, ended):
    url = URL.format(await ended())
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        response = await api.request(method, url)

        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_the_status_of_a_retry_names_the_job_that_it_retries(api, sql, ended):
    job_id = await ended()
    body = await (await api.post(URL.format(job_id))).json()
    await sql("UPDATE jobs SET taken_up_at = now() WHERE retry_of = :old", old=job_id)

    shown = await (await api.get(f"/api/v1/ingestion/job/{body['job_id']}")).json()

    assert shown["stats"]["retry_of"] == str(job_id)
