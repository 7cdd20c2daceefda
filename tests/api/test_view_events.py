"""Lists and the fleet as Server-Sent Events: what is told, to whom, until when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from time import time
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse
from sqlalchemy import event

from service.api.view_watch import VIEW_WATCH
from service.api.watch_room import WatchLimits
from tests.api.conftest import JOB, PREFIX, RULES, bearer, token
from tests.api.waiters import MOVE, blocks

JOBS = f"{PREFIX}/jobs/events?details=true"
FLEET = "/api/v1/fleet/events"
FAST = WatchLimits(look=timedelta(milliseconds=50), confirm=timedelta(milliseconds=100))
OTHER = "123e4567-e89b-12d3-a456-426614174001"


class Events:
    """The events of a stream: name and data, confirmations left out unless asked for."""

    def __init__(self, response: ClientResponse) -> None:
        self._blocks = blocks(response)

    async def next(self, *, with_confirmed: bool = False) -> tuple[str, Any]:
        async with asyncio.timeout(60):
            async for block in self._blocks:
                fields = dict(block)
                if fields["event"] != "confirmed" or with_confirmed:
                    return fields["event"], orjson.loads(fields["data"])
        raise EOFError


@asynccontextmanager
async def streaming(api, path: str, **headers: str) -> AsyncIterator[Events]:
    async with api.get(path, headers=headers, timeout=None) as response:
        assert response.status == 200, await response.text()
        yield Events(response)


async def left(api) -> None:
    """Wait until there is no viewer."""
    async with asyncio.timeout(60):
        while len(api.app[VIEW_WATCH]):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def test_jobs_come_as_they_are_listed_and_then_only_the_one_that_changed(serve, sql, job):
    api = await serve(wait_limits=FAST)
    await sql(f"INSERT INTO jobs (id) VALUES ('{OTHER}')")
    listed = await (await api.get(f"{PREFIX}/jobs?details=true")).json()

    async with streaming(api, JOBS) as events:
        name, snapshot = await events.next()
        await sql(f"{MOVE} WHERE id = '{JOB}'")
        changed = await events.next()
        await sql(f"UPDATE jobs SET status = 'cancelled' WHERE id = '{OTHER}'")
        gone = await events.next()

    pieces = snapshot["pieces"]
    assert name == "snapshot"
    assert [pieces[job_id] for job_id in pieces["page"]["order"]] == listed
    assert pieces["page"]["next"] is None
    assert changed[0] == "changed"
    assert set(changed[1]["pieces"]) == {JOB}
    assert changed[1]["pieces"][JOB]["progress"]["papers_fetched"] == 1
    assert gone[1]["pieces"] == {OTHER: None, "page": {"order": [JOB], "next": None}}
    await left(api)


async def test_a_page_and_its_filters_are_those_of_the_list(serve, sql, job):
    api = await serve(wait_limits=FAST)
    await sql(f"INSERT INTO jobs (id, requested_by) VALUES ('{OTHER}', 'bob')")
    answer = await api.get(f"{PREFIX}/jobs?limit=1")

    async with streaming(api, f"{PREFIX}/jobs/events?limit=1") as events:
        page = (await events.next())[1]["pieces"]["page"]
    async with streaming(api, f"{PREFIX}/jobs/events?requested_by=bob") as events:
        found = (await events.next())[1]["pieces"]["page"]
    refused = await api.get(f"{PREFIX}/jobs/events?status=none")
    altered = await api.get(f"{PREFIX}/jobs/events?sort=updated_at&cursor={page['next']}")

    assert f"cursor={page['next']}" in answer.headers["Link"]
    assert found["order"] == [OTHER]
    assert (refused.status, altered.status) == (422, 422)


async def test_the_fleet_comes_as_its_routes_tell_it_and_then_what_changed(serve, sql, database):
    api = await serve(wait_limits=FAST)
    overview = await (await api.get(f"{PREFIX}/overview")).json()
    fleet = await (await api.get("/api/v1/fleet")).json()
    coverage = await (await api.get("/api/v1/coverage")).json()

    async with streaming(api, FLEET) as events:
        pieces = (await events.next())[1]["pieces"]
        await sql("SELECT pause_arxiv()")
        changed: dict[str, Any] = {}
        while "fleet.channels" not in changed:
            changed |= (await events.next())[1]["pieces"]

    assert [pieces[f"fleet.{name}"] for name in ("workers", "queue", "storage")] == [
        fleet[name] for name in ("workers", "queue", "storage")
    ]
    assert pieces["overview.limits"] == overview["limits"]
    assert pieces["coverage"] == coverage
    assert pieces["schedules"] == []
    assert "webhooks" not in pieces  # switched off
    assert pieces["readiness.missing"] == []
    assert {one["state"] for one in changed["fleet.channels"]} == {"paused"}
    assert "coverage" not in changed


async def test_nothing_is_sent_while_nothing_changes_but_that_it_is_so(serve, job):
    api = await serve(wait_limits=FAST)

    async with streaming(api, JOBS) as events:
        _, snapshot = await events.next()
        names, moments = [], [snapshot["at"]]
        for _ in range(5):
            name, told = await events.next(with_confirmed=True)
            names.append(name)
            moments.append(told["at"])
            assert told.keys() == {"at"}

    assert names == ["confirmed"] * 5
    assert moments == sorted(moments)
    assert moments[0] < moments[-1]


async def test_all_viewers_of_a_view_share_its_looks(serve, job, api_database):
    looks = 0

    def count(conn, cursor, statement, *_: object) -> None:
        nonlocal looks
        looks += "FROM jobs" in statement and "count(" not in statement

    api = await serve(wait_limits=WatchLimits(look=timedelta(minutes=5)))
    async with streaming(api, JOBS) as first:
        await first.next()
        event.listen(api_database.engine.sync_engine, "before_cursor_execute", count)
        crowd = [api.get(JOBS, timeout=None) for _ in range(20)]
        responses = await asyncio.gather(*crowd)
        snapshots = [await Events(response).next() for response in responses]
        event.remove(api_database.engine.sync_engine, "before_cursor_execute", count)
        for response in responses:
            response.close()

    assert {name for name, _ in snapshots} == {"snapshot"}
    assert 0 < looks < 20
    await left(api)


async def test_who_comes_sees_what_was_committed_before(serve, sql, job):
    api = await serve(wait_limits=WatchLimits(look=timedelta(minutes=5)))

    async with streaming(api, JOBS) as first:
        await first.next()
        await sql(MOVE)
        async with streaming(api, JOBS) as second:
            _, snapshot = await second.next()
        name, change = await first.next()

    assert snapshot["pieces"][JOB]["progress"]["papers_fetched"] == 1
    assert (name, set(change["pieces"])) == ("changed", {JOB})


async def test_a_stream_needs_a_token_and_any_good_one_will_do_as_for_the_list(serve, job):
    api = await serve(wait_limits=FAST, sub=None)

    refused = await api.get(JOBS)
    async with streaming(api, JOBS, **bearer(token(sub="bob", scope="nothing"))) as events:
        name, _ = await events.next()

    assert refused.status == 401
    assert name == "snapshot"


async def test_the_head_forbids_to_keep_and_to_hold_back(serve, job):
    api = await serve(wait_limits=FAST)

    async with api.get(JOBS, headers={"Accept-Encoding": "gzip"}) as response:
        headers = response.headers

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in headers
    assert (await api.head(JOBS)).status == 200


@pytest.mark.parametrize("bounds", [{"viewers": 1}, {"viewers_per_caller": 1}])
async def test_beyond_the_limit_a_stream_is_refused_and_has_room_again_later(serve, job, bounds):
    api = await serve(wait_limits=WatchLimits(**bounds))

    async with streaming(api, JOBS) as events:
        await events.next()
        refused = await api.get(JOBS)
        others = await api.get(JOBS, headers=bearer(token(sub="bob")))
        others.close()
    await left(api)
    async with streaming(api, JOBS) as events:
        name, _ = await events.next()

    assert (refused.status, (await refused.json())["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "5"
    assert others.status == (503 if "viewers" in bounds else 200)
    assert name == "snapshot"


async def test_there_is_a_bound_on_views_that_differ(serve, job, monkeypatch):
    monkeypatch.setattr("service.api.view_watch.MAX_VIEWS", 1)
    api = await serve(wait_limits=FAST)

    async with streaming(api, JOBS) as events, streaming(api, JOBS) as same:
        await asyncio.gather(events.next(), same.next())
        refused = await api.get(FLEET)

    assert refused.status == 503


async def test_a_stream_ends_with_its_token(serve, job):
    api = await serve(wait_limits=FAST, sub=None)
    soon = bearer(token(exp=time() + 2 - RULES.leeway))

    async with streaming(api, JOBS, **soon) as events:
        await events.next()
        with pytest.raises(EOFError):
            await events.next()

    await left(api)


async def test_a_stream_ends_after_the_seconds_that_are_preferred(serve, job):
    api = await serve(wait_limits=FAST)

    async with api.get(JOBS, headers={"Prefer": "wait=0"}) as response:
        (only,) = [block async for block in blocks(response)]

    assert response.headers["Preference-Applied"] == "wait=0"
    assert dict(only)["event"] == "snapshot"


async def test_a_stream_ends_when_its_caller_is_blocked(serve, sql, job):
    api = await serve(wait_limits=FAST)

    async with streaming(api, JOBS) as events:
        await events.next()
        await sql("INSERT INTO callers (sub, is_blocked) VALUES ('alice', true)")
        with pytest.raises(EOFError):
            await events.next()


async def test_streams_end_when_the_process_is_about_to_stop_and_no_new_ones_begin(serve, job):
    api = await serve()
    async with streaming(api, JOBS) as events:
        await events.next()
        api.app[VIEW_WATCH].close()
        with pytest.raises(EOFError):
            await events.next()
    refused = await api.get(JOBS)
    async with asyncio.timeout(60):
        await api.app[VIEW_WATCH].join()

    assert refused.status == 503


async def test_an_absence_of_the_database_is_told_and_so_is_its_return(
    serve, link, sql, job, open_database
):
    api = await serve(database=open_database(link.url, deadline_seconds=0.5), wait_limits=FAST)

    async with streaming(api, JOBS) as events:
        await events.next()
        link.freeze()
        failed, told = await events.next()
        refused = await api.get(JOBS)
        link.thaw()
        name, _ = await events.next(with_confirmed=True)
        await sql(MOVE)
        changed = await events.next()

    assert (failed, told["problem"]["code"]) == ("failed", "database_unavailable")
    assert refused.status == 503
    assert name in ("confirmed", "changed")
    assert changed[1]["pieces"][JOB]["progress"]["papers_fetched"] == 1


async def test_a_mistake_of_ours_ends_the_streams_of_that_view_alone(serve, job, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    api = await serve(wait_limits=FAST)
    async with streaming(api, JOBS) as jobs, streaming(api, FLEET) as fleet:
        await asyncio.gather(jobs.next(), fleet.next())
        monkeypatch.setattr("service.api.handlers.view_events.find_jobs", broken)
        with pytest.raises(EOFError):
            await jobs.next()
        answer = await api.get(JOBS)
        async with asyncio.timeout(60):
            await fleet.next(with_confirmed=True)

    assert (answer.status, (await answer.json())["code"]) == (500, "internal_error")
