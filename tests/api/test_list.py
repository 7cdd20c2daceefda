"""The list of active jobs."""

import pytest

URL = "/api/v1/ingestion/jobs"


async def listed(api):
    response = await api.get(URL)
    assert response.status == 200
    return await response.json()


async def test_there_may_be_none(api):
    assert await listed(api) == []


async def test_active_jobs_come_newest_first_and_final_ones_not(api, sql):
    for age, status in enumerate(["pending", "completed", "running", "failed", "cancelled"]):
        await sql(
            f"INSERT INTO jobs (status, created_at)"
            f" VALUES ('{status}', now() - interval '{age} hours')"
        )

    jobs = await listed(api)

    assert [job["status"] for job in jobs] == ["pending", "running"]
    assert jobs[0]["created_at"] > jobs[1]["created_at"]


async def test_a_listed_job_is_shown_as_by_its_own_route(api, sql):
    await sql("INSERT INTO jobs (status, taken_up_at) VALUES ('running', now())")
    await sql("INSERT INTO job_errors (job_id, stage, error) SELECT id, 'general', 'e' FROM jobs")

    (job,) = await listed(api)
    alone = await (await api.get(f"/api/v1/ingestion/job/{job['job_id']}")).json()

    assert job == alone
    assert job["stats"]["errors_total"] == 1


async def test_jobs_of_one_moment_have_one_order(api, sql):
    await sql("INSERT INTO jobs (created_at) SELECT '2023-01-01Z' FROM generate_series(1, 20)")

    first, second = await listed(api), await listed(api)

    assert len(first) == 20
    assert [job["job_id"] for job in first] == [job["job_id"] for job in second]


@pytest.mark.parametrize("sub", ["alice", "bob"])
async def test_every_caller_sees_all(serve, sql, sub):
    await sql("INSERT INTO jobs (requested_by) VALUES ('alice')")

    assert len(await listed(await serve(sub=sub))) == 1
