"""The timeline of a job: what happened in order, each thing once, and how fast it went."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from service.db.job_events import MAX_POINTS, interval_of
from tests.api.conftest import GOOD_BODY, JOB, PREFIX, STATUS, is_problem
from tests.api.test_job_lists import pages

TIMELINE = f"{STATUS}/timeline"
DELIVERY = (
    "INSERT INTO webhook_deliveries (webhook_id, job_id, event, url, attempt, next_attempt_at)"
    " VALUES ('msg_1', CAST(:job AS uuid), 'job.completed', 'https://example.org', 1, now())"
)
WAIT = "UPDATE jobs SET waiting_for = :reason, waiting_since = clock_timestamp()"
MOVE = (
    "UPDATE jobs SET pages_fetched = pages_fetched + 1, papers_fetched = papers_fetched + 5,"
    " waiting_for = NULL, waiting_since = NULL"
)


async def events(api, job_id=JOB, *, limit=2):
    found = await pages(api, f"{PREFIX}/job/{job_id}/timeline?limit={limit}")
    return [event for page in found for event in page]


async def test_a_job_tells_its_life_in_order_over_all_pages(api, sql):
    recorded = await (await api.post(f"{PREFIX}/arxiv", json=GOOD_BODY)).json()
    job_id = recorded["job_id"]
    await sql("UPDATE jobs SET status = 'running', started_at = clock_timestamp()")
    await sql(MOVE)
    await sql(WAIT, reason="arxiv_cooldown")
    await sql(WAIT, reason="arxiv_unavailable")
    await sql(MOVE)
    await sql("UPDATE jobs SET status = 'completed'")
    await sql(DELIVERY, job=job_id)
    await sql(
        "UPDATE webhook_deliveries SET status = 'failed', http_status = 500, error = 'status',"
        " next_attempt_at = NULL, ended_at = now()"
    )

    found = await events(api, job_id)

    moments = [one.pop("at") for one in found]
    ended = [one.pop("ended_at") for one in found if one["event"] == "waiting"]
    assert found == [
        {"event": "created"},
        {"event": "started"},
        {"event": "page", "page": 1, "papers_fetched": 5},
        {"event": "waiting", "reason": "arxiv_cooldown"},
        {"event": "waiting", "reason": "arxiv_unavailable"},
        {"event": "page", "page": 2, "papers_fetched": 10},
        {"event": "finished", "status": "completed"},
        {
            "event": "callback",
            "status": "failed",
            "webhook_id": "msg_1",
            "attempt": 1,
            "http_status": 500,
            "error": "status",
        },
    ]
    assert moments == sorted(moments)
    assert all(moments[3] < end <= moments[5] for end in ended)
    assert ended[0] <= moments[4] <= ended[1]


async def test_a_wait_that_lasts_has_no_end_and_one_that_a_cancellation_ends_has(api, job, sql):
    await sql(WAIT, reason="storage_unavailable")
    (waiting,) = [one for one in await events(api) if one["event"] == "waiting"]

    await sql(f"SELECT cancel_job('{JOB}')")

    *_, ended, finished = await events(api)
    assert (waiting["reason"], waiting["ended_at"]) == ("storage_unavailable", None)
    assert ended["ended_at"] is not None
    assert (finished["event"], finished["status"]) == ("finished", "cancelled")


async def test_what_is_rolled_back_is_not_told(api, job, database):
    async with database.engine.connect() as conn:
        await conn.exec_driver_sql(MOVE)
        await conn.rollback()

    assert [one["event"] for one in await events(api)] == ["created", "started"]
    assert (await series(api))["points"] == []


async def test_very_many_pages_and_waits_share_events_and_none_is_lost(api, job, sql):
    await sql(f"UPDATE jobs SET pages_fetched = 499 WHERE id = '{JOB}'")
    await sql(
        f"INSERT INTO job_events (job_id, event, number, reason, ended_at) VALUES ('{JOB}',"
        " 'waiting', 499, 'arxiv_cooldown', now())"
    )
    await sql(
        "DO $$ BEGIN FOR n IN 500..515 LOOP UPDATE jobs SET pages_fetched = n, papers_fetched = n,"
        " waiting_for = 'arxiv_paused', waiting_since = now();"
        " UPDATE jobs SET waiting_for = NULL, waiting_since = NULL; END LOOP;"
        " UPDATE jobs SET pages_fetched = 4999;"
        " FOR n IN 5000..5102 LOOP UPDATE jobs SET pages_fetched = n; END LOOP; END $$"
    )

    found = await events(api, limit=200)

    of_pages = [one for one in found if one["event"] == "page"]
    waits = [one for one in found if one["event"] == "waiting"]
    assert [(one["page"], one.get("times", 1)) for one in of_pages] == [
        *((499, 1), (500, 1), (510, 10)),
        *((5000, 7), (5100, 100), (5102, 2)),  # the 5,000th came in one stretch with the 511th
    ]
    assert all(one["at"] <= one["ended_at"] for one in of_pages if "times" in one)
    assert [one.get("times", 1) for one in waits] == [1, 1, 10, 5]
    assert all(one["ended_at"] for one in waits)


async def series(api):
    return await (await api.get(f"{TIMELINE}?series=throughput")).json()


async def test_throughput_has_every_interval_from_the_start_to_now(api, job, sql):
    await sql("UPDATE jobs SET started_at = now() - interval '65 seconds'")
    await sql(
        "INSERT INTO job_intervals SELECT id, date_bin('10 s', started_at, 'epoch'), 3, 1 FROM jobs"
    )
    await sql(MOVE)
    await sql("UPDATE jobs SET papers_fetched = papers_fetched + 2, pdfs_processed = 4")

    found = await series(api)

    moments = [datetime.fromisoformat(one["at"]) for one in found["points"]]
    assert found["interval_seconds"] == 10
    assert {after - before for before, after in pairwise(moments)} == {timedelta(seconds=10)}
    assert 7 <= len(moments) <= 9
    assert found["points"][0] | {"at": None} == {"at": None, "papers": 3, "pdfs": 1}
    assert sum(one["papers"] for one in found["points"]) == 10
    assert sum(one["pdfs"] for one in found["points"]) == 5


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("50 minutes", 10), ("70 minutes", 60), ("3 days", 3_600), ("40 years", 3_628_800)],
)
async def test_the_older_a_job_the_longer_its_intervals(api, job, sql, age, seconds):
    await sql(f"UPDATE jobs SET started_at = now() - interval '{age}'")
    await sql(MOVE)

    found = await series(api)

    assert found["interval_seconds"] == seconds
    assert len(found["points"]) <= MAX_POINTS + 1
    assert sum(one["papers"] for one in found["points"]) == 5


@pytest.mark.parametrize(
    ("age", "recorded"), [(3_599, 10), (3_601, 60), (86_401, 600), (864_001, 3_600)]
)
def test_no_interval_is_shorter_than_what_was_recorded(age, recorded):
    assert interval_of(timedelta(seconds=age)) >= timedelta(seconds=recorded)


async def test_workers_that_write_at_once_lose_no_paper(api, job, database):
    async def work():
        for _ in range(10):
            async with database.transaction() as conn:
                await conn.exec_driver_sql(MOVE)

    await asyncio.gather(*(work() for _ in range(4)))

    pages_told = [one["page"] for one in await events(api) if one["event"] == "page"]
    assert pages_told == list(range(1, 41))
    assert sum(one["papers"] for one in (await series(api))["points"]) == 200


@pytest.mark.parametrize("query", ["", "?series=throughput"])
@pytest.mark.parametrize("job_id", [JOB, "x"])
async def test_an_unknown_job_is_not_found(api, query, job_id):
    response = await api.get(f"{PREFIX}/job/{job_id}/timeline{query}")

    document = await response.json()
    assert response.status == 404
    assert is_problem(response, document)
    assert document["code"] == "job_not_found"


@pytest.mark.parametrize(
    ("query", "field"), [("series=x", "series"), ("cursor=x", "cursor"), ("group=code", "group")]
)
async def test_a_wrong_parameter_is_named(api, job, query, field):
    response = await api.get(f"{TIMELINE}?{query}")

    assert response.status == 422
    assert list((await response.json())["errors"]) == [field]
