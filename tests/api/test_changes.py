"""The change feed over HTTP: tokens, kinds, long polls, exports, retention."""

import asyncio
import json

import pytest

from service.api.change_watch import CHANGE_WATCH
from service.api.watch_room import WatchLimits
from tests.api.conftest import PREFIX, is_problem
from tests.db.test_paper_changes import INSERT

URL = "/api/v1/papers/changes"
NDJSON = {"Accept": "application/x-ndjson"}
SLOW = WatchLimits(poll=WatchLimits().poll * 200)  # so that only an announcement is in time


async def get(api, url=URL, **options):
    response = await api.get(url, **options)
    return response, await response.json()


def following(response):
    """The URL that the answer leads on to."""
    return response.links["next"]["url"].relative()


async def begun(api, number=1):
    """Wait until so many wait."""
    async with asyncio.timeout(60):
        while len(api.app[CHANGE_WATCH]) < number:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)  # until it has read; an early change is answered, too


async def test_an_empty_feed_leads_on_to_the_first_change(api, sql):
    first, nothing = await get(api)
    await sql(INSERT, id="x/1")

    second, changes = await get(api, following(first))

    (change,) = changes
    assert (first.status, nothing) == (200, [])
    assert list(change) == ["token", "at", "arxiv_id", "version", "kind", "job_id"]
    assert (change["arxiv_id"], change["version"], change["kind"]) == ("x/1", 1, "created")
    assert change["job_id"] is None
    assert change["at"].endswith("Z")
    assert (await get(api, f"{URL}?after={change['token']}"))[1] == []
    assert (await get(api, following(second)))[1] == []


async def test_pages_lead_through_the_whole_feed_and_keep_what_was_asked(api, sql):
    for number in range(5):
        await sql(INSERT, id=f"x/{number}")
    await sql("UPDATE papers SET withdrawn = true WHERE arxiv_id = 'x/3'")

    seen, url = [], f"{URL}?limit=2&kind=created,withdrawn"
    while True:
        response, changes = await get(api, url)
        if not changes:
            break
        seen += [(one["arxiv_id"], one["kind"]) for one in changes]
        url = following(response)

    assert url.query["limit"] == "2"
    assert seen == [(f"x/{number}", "created") for number in range(5)] + [("x/3", "withdrawn")]
    _, withdrawn = await get(api, f"{URL}?kind=withdrawn")
    assert [one["arxiv_id"] for one in withdrawn] == ["x/3"]


async def test_latest_is_the_end_of_the_feed(api, sql):
    await sql(INSERT, id="x/1")

    response, changes = await get(api, f"{URL}?after=latest")
    await sql(INSERT, id="x/2")

    assert changes == []
    assert [one["arxiv_id"] for one in (await get(api, following(response)))[1]] == ["x/2"]


async def test_ndjson_goes_to_the_end_of_the_feed(api, sql, monkeypatch):
    monkeypatch.setattr("service.api.handlers.changes.EXPORT_CHUNK", 2)
    for number in range(5):
        await sql(INSERT, id=f"x/{number}")

    response = await api.get(f"{URL}?kind=created", headers=NDJSON)
    lines = [json.loads(line) for line in (await response.text()).splitlines()]

    assert response.content_type == "application/x-ndjson"
    assert [one["arxiv_id"] for one in lines] == [f"x/{number}" for number in range(5)]
    rest = await api.get(following(response), headers=NDJSON)
    assert (await rest.text(), "next" in rest.links) == ("", True)


async def test_a_long_poll_is_answered_when_a_change_is_announced(serve, sql):
    api = await serve(wait_limits=SLOW)
    waiting = [asyncio.create_task(get(api, f"{URL}?wait=50")) for _ in range(20)]
    await begun(api, 20)

    async with asyncio.timeout(60):
        while not all(task.done() for task in waiting):
            # the first announcement may come before the listener; a later one does not
            await sql("INSERT INTO callers (sub) VALUES (gen_random_uuid()::text)")
            await sql(INSERT.replace(":id", "gen_random_uuid()::text"))
            await asyncio.wait(waiting, timeout=0.5)

    for task in waiting:
        _, changes = task.result()
        assert [one["kind"] for one in changes][:1] == ["created"]
    assert len(api.app[CHANGE_WATCH]) == 0


async def test_a_long_poll_for_one_kind_is_not_ended_by_another(api, sql):
    waiting = asyncio.create_task(get(api, f"{URL}?wait=50&kind=removed"))
    await begun(api)
    await sql(INSERT, id="x/1")
    await asyncio.sleep(0.2)
    is_still_waiting = not waiting.done()

    await sql("DELETE FROM papers")

    async with asyncio.timeout(60):
        _, changes = await waiting
    assert is_still_waiting
    assert [one["kind"] for one in changes] == ["removed"]


async def test_a_wait_without_a_change_ends_empty_and_leads_on(api):
    response, changes = await get(api, f"{URL}?wait=1")

    assert (response.status, changes) == (200, [])
    assert "next" in response.links


async def test_waiters_are_bounded_and_the_rest_is_answered_at_once(serve):
    api = await serve(wait_limits=WatchLimits(waiters=1))
    waiting = asyncio.create_task(get(api, f"{URL}?wait=50"))
    await begun(api)

    async with asyncio.timeout(60):
        response, changes = await get(api, f"{URL}?wait=50")

    assert (response.status, changes, waiting.done()) == (200, [], False)
    api.app[CHANGE_WATCH].close()
    async with asyncio.timeout(60):
        assert (await waiting)[1] == []


async def test_a_token_that_retention_has_trimmed_is_410_and_the_beginning_is_what_is_kept(
    api, sql
):
    await sql(INSERT, id="x/1")
    _, (old,) = await get(api)
    await sql(INSERT, id="x/2")
    _, (_, last) = await get(api)
    await sql("DELETE FROM paper_changes WHERE arxiv_id = 'x/1'")
    await sql("UPDATE paper_change_feed SET trimmed_position = 2, trimmed_id = 0")

    response, problem = await get(api, f"{URL}?after={old['token']}")

    assert response.status == 410
    assert is_problem(response, problem)
    assert problem["code"] == "token_expired"
    assert (await get(api, f"{URL}?after={last['token']}"))[1] == []
    assert [one["arxiv_id"] for one in (await get(api))[1]] == ["x/2"]


@pytest.mark.parametrize("query", ["after=x", "limit=0", "limit=1001", "wait=61", "kind=lost"])
async def test_what_is_no_token_limit_wait_or_kind_is_named(api, query):
    response, problem = await get(api, f"{URL}?{query}")

    assert (response.status, list(problem["errors"])) == (422, [query.partition("=")[0]])


async def test_a_token_of_another_feed_is_unknown(api, sql):
    await sql(INSERT, id="x/1")
    _, (change,) = await get(api)
    await sql("TRUNCATE paper_changes, paper_change_batches, paper_change_feed")

    response, problem = await get(api, f"{URL}?after={change['token']}")

    assert (response.status, list(problem["errors"])) == (422, ["after"])
    other = await api.get(f"{PREFIX}/jobs?cursor={change['token']}")
    assert other.status == 422


async def test_it_is_said_how_long_changes_are_held_up(api, database, sql):
    from sqlalchemy import text

    async with database.engine.connect() as conn:
        await conn.execute(text(INSERT), {"id": "x/1"})
        shown = await (await api.get("/metrics")).text()
        await conn.rollback()

    (line,) = [
        one
        for one in shown.splitlines()
        if one.startswith("arxiv_ingestion_change_feed_held_up_seconds ")
    ]
    assert float(line.split()[1]) > 0
