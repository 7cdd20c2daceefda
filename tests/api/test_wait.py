"""`Prefer: wait=N` on the status route: an answer when the job changes, or after N seconds."""

import asyncio
from time import monotonic
from uuid import UUID

import pytest
from sqlalchemy import text

from service.api.job_status import JOB_STATUS_READER
from service.api.job_watch import JOB_WATCH
from service.api.middlewares.auth import PRINCIPAL
from service.api.watch_room import WatchLimits
from service.auth.tokens import Principal
from tests.api.conftest import JOB, STATUS
from tests.api.waiters import LONG, MOVE, begun, emptied


@pytest.fixture
async def unannounced(sql, job):
    """Changes are announced to nobody, as behind a pooler in transaction mode."""
    await sql("ALTER TABLE jobs DISABLE TRIGGER jobs_announce")
    yield
    await sql("ALTER TABLE jobs ENABLE TRIGGER jobs_announce")


async def tag_of(api) -> str:
    return (await api.get(STATUS)).headers["ETag"]


async def test_a_change_answers_those_who_wait(api, sql, job):
    seen = await tag_of(api)
    asked = asyncio.create_task(api.get(STATUS, headers={**LONG, "If-None-Match": seen}))
    await begun(api)

    await sql(MOVE)
    response = await asked

    assert response.status == 200
    assert response.headers["Preference-Applied"] == "wait=50"
    assert response.headers["ETag"] != seen
    assert (await response.json())["progress"]["papers_fetched"] == 1
    await emptied(api)


async def test_without_an_etag_a_change_since_the_request_is_waited_for(api, sql, job):
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    await sql("SELECT cancel_job(:job)", job=JOB)

    assert (await (await asked).json())["status"] == "cancelled"


async def test_what_nobody_sees_wakes_nobody(api, sql, job):
    seen = await tag_of(api)
    asked = asyncio.create_task(api.get(STATUS, headers={**LONG, "If-None-Match": seen}))
    await begun(api)

    await sql("UPDATE jobs SET harvest_starts = harvest_starts + 1")
    await sql(MOVE)

    assert (await (await asked).json())["progress"]["papers_fetched"] == 1


async def test_nothing_new_is_304_after_the_wait(api, job):
    seen = await tag_of(api)
    began = monotonic()

    response = await api.get(STATUS, headers={"Prefer": "wait=1", "If-None-Match": seen})

    assert response.status == 304
    assert monotonic() - began >= 1
    assert response.headers["Preference-Applied"] == "wait=1"
    assert response.headers["ETag"] == seen


async def test_nothing_new_is_200_after_the_wait_to_a_caller_without_an_etag(api, job):
    began = monotonic()

    response = await api.get(STATUS, headers={"Prefer": "wait=1"})

    assert response.status == 200
    assert monotonic() - began >= 1


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_final_job_is_answered_at_once(api, sql, job, status):
    await sql(f"UPDATE jobs SET status = '{status}'")
    seen = await tag_of(api)

    plain = await api.get(STATUS, headers=LONG)
    unchanged = await api.get(STATUS, headers={**LONG, "If-None-Match": seen})

    assert (plain.status, unchanged.status) == (200, 304)
    assert unchanged.headers["Preference-Applied"] == "wait=50"


async def test_an_etag_that_no_longer_holds_is_answered_at_once(api, job):
    response = await api.get(STATUS, headers={**LONG, "If-None-Match": '"0"'})

    assert response.status == 200


async def test_an_unknown_job_is_not_waited_for(api, job):
    response = await api.get(STATUS.replace("123e", "0000"), headers=LONG)

    assert response.status == 404
    await emptied(api)


@pytest.mark.parametrize(
    "value",
    [
        *("wait", "wait=", "wait=-1", "wait=NaN", "wait=abc", "wait=1.5", "wait=+5", "wait=٣"),
        *("wait=5s", 'wait="', "wait=x, wait=50"),
        *("respond-async", "await=50", "x; wait=50", ",", "w" * 7000),
    ],
)
async def test_a_preference_that_is_not_understood_is_ignored(api, job, value):
    response = await api.get(STATUS, headers={"Prefer": value})

    assert response.status == 200
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize(
    ("value", "applied"),
    [
        *(("wait=61", "60"), ("wait=1000000000", "60"), ("wait=" + "9" * 5000, "60")),
        *(("wait=0", "0"), ('wait="7"', "7"), ("WAIT = 007", "7")),
        ("respond-async, wait=5;x=1, wait=9", "5"),
    ],
)
async def test_a_wait_is_understood_in_all_forms_and_capped(api, sql, job, value, applied):
    await sql("UPDATE jobs SET status = 'failed'")

    response = await api.get(STATUS, headers={"Prefer": value})

    assert response.headers["Preference-Applied"] == f"wait={applied}"


async def test_several_headers_are_one_list(api, sql, job):
    await sql("UPDATE jobs SET status = 'failed'")

    response = await api.get(STATUS, headers=[("Prefer", "respond-async"), ("Prefer", "wait=5")])

    assert response.headers["Preference-Applied"] == "wait=5"


async def test_head_waits_as_get_does(api, sql, job):
    asked = asyncio.create_task(api.head(STATUS, headers=LONG))
    await begun(api)

    await sql(MOVE)
    response = await asked

    assert response.status == 200
    assert int(response.headers["Content-Length"]) > 0
    assert await response.read() == b""


async def test_a_change_that_is_not_announced_is_seen_all_the_same(api, sql, unannounced):
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    await sql(MOVE)

    assert (await (await asked).json())["progress"]["papers_fetched"] == 1


async def test_a_job_that_is_deleted_is_not_found(api, sql, job):
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    await sql("DELETE FROM jobs")

    assert (await asked).status == 404


async def test_those_who_left_are_forgotten(api, job):
    asked = [asyncio.create_task(api.get(STATUS, headers=LONG)) for _ in range(5)]
    await begun(api, 5)

    for one in asked:
        one.cancel()

    await emptied(api)


async def test_all_are_answered_when_the_process_is_to_stop(api, job):
    seen = await tag_of(api)
    plain = asyncio.create_task(api.get(STATUS, headers=LONG))
    unchanged = asyncio.create_task(api.get(STATUS, headers={**LONG, "If-None-Match": seen}))
    await begun(api, 2)

    api.app[JOB_WATCH].close()

    assert ((await plain).status, (await unchanged).status) == (200, 304)
    late = await api.get(STATUS, headers=LONG)
    assert late.status == 200
    assert "Preference-Applied" not in late.headers


async def test_beyond_the_bound_the_answer_comes_at_once(serve, sql, job):
    api = await serve(wait_limits=WatchLimits(waiters=1))
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    more = await api.get(STATUS, headers=LONG)

    assert more.status == 200
    assert "Preference-Applied" not in more.headers
    await sql(MOVE)
    assert (await asked).status == 200


async def test_a_caller_who_is_blocked_while_it_waits_is_sent_away(api, sql, job):
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    await sql("INSERT INTO callers (sub, is_blocked) VALUES ('alice', true)")

    assert (await asked).status == 401


async def test_waiting_goes_on_while_the_database_is_away(serve, link, sql, job, open_database):
    api = await serve(database=open_database(link.url, deadline_seconds=0.5))
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)
    link.freeze()
    ended = await api.get(STATUS, headers={"Prefer": "wait=1"})

    await sql(MOVE)
    link.thaw()

    assert ended.status == 500
    assert (await ended.json(content_type=None))["detail"].startswith("Failed to get job status: ")
    assert (await (await asked).json())["progress"]["papers_fetched"] == 1


LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'arxiv-ingestion listener'"


@pytest.mark.needs_session("it listens")
async def test_announcements_are_heard_again_after_their_connection_was_lost(api, sql, job):
    async with asyncio.timeout(60):
        while not (before := await sql(LISTENERS)):
            pass
    asked = asyncio.create_task(api.get(STATUS, headers=LONG))
    await begun(api)

    await sql("SELECT pg_terminate_backend(:pid)", pid=before[0].pid)
    await sql(MOVE)

    assert (await asked).status == 200
    async with asyncio.timeout(60):
        while not (after := await sql(LISTENERS)) or after == before:
            pass


async def test_a_wait_that_began_with_a_locked_table_is_answered_in_time(api, database, job):
    async with database.engine.begin() as conn:
        await conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await conn.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))

        response = await api.get(STATUS, headers={"Prefer": "wait=1"})

    assert response.status == 500


async def test_all_who_wait_for_a_job_share_its_state(api, sql, job):
    first, second = await _read(api), await _read(api)
    await sql(MOVE)
    newer = await _read(api)
    waiting = api.app[JOB_WATCH]
    asking = {PRINCIPAL: Principal("alice", frozenset(), begins=0, ends=0)}

    with waiting.watch(asking, UUID(JOB)) as one, waiting.watch(asking, UUID(JOB)) as other:
        assert one.saw(first) is other.saw(second)
        assert one.saw(newer) is other.saw(first)
        assert other.saw(first).version == newer.version


async def _read(api):
    return await api.app[JOB_STATUS_READER].get(UUID(JOB))
