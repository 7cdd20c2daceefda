"""A job's changes as Server-Sent Events: which come, in what form, and what who comes back gets."""

import asyncio

import pytest

from service.api.job_watch import WatchLimits
from tests.api.conftest import JOB, STATUS
from tests.api.waiters import END, EVENTS, LONG, MOVE, begun, blocks, crowd, emptied, events

HELD = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'tests watchers' AND state <> 'idle'"
)


async def test_each_change_is_an_event_until_the_job_is_final(api, sql, job):
    async with api.get(EVENTS) as response:
        stream = events(response)
        first = await anext(stream)
        await sql(MOVE)
        second = await anext(stream)
        await sql(END)
        rest = [event async for event in stream]

    shown = await (await api.get(STATUS)).text()
    assert [event.name for event in (first, second, *rest)] == ["status"] * 3 + ["end"]
    assert [one.document["progress"]["papers_fetched"] for one in (first, second)] == [0, 1]
    assert rest[-1].data == shown
    assert int(first.id) < int(second.id) < int(rest[-1].id) == int(rest[0].id)
    await emptied(api)


async def test_the_id_of_an_event_is_the_etag_of_the_status(api, job):
    etag = (await api.get(STATUS)).headers["ETag"]

    async with api.get(EVENTS) as response:
        event = await anext(events(response))

    assert etag == f'"{event.id}"'


async def test_the_head_tells_everybody_between_not_to_keep_anything(api, job):
    async with api.get(EVENTS) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert (await anext(blocks(response)))[0] == ("retry", "2000")


async def test_a_silent_job_is_heard_to_be_alive(serve, job):
    api = await serve(wait_limits=WatchLimits(heartbeat=WatchLimits().rest))

    async with api.get(EVENTS) as response:
        await anext(events(response))

        # comments of one line, with no blank line behind them: no event to anybody
        assert [await response.content.readline() for _ in range(2)] == [b": ping\n"] * 2


async def test_who_comes_back_gets_nothing_that_it_has_seen(api, sql, job):
    async with api.get(EVENTS) as response:
        seen = await anext(events(response))

    async with api.get(EVENTS, headers={"Last-Event-ID": seen.id}) as response:
        await begun(api)
        await sql(MOVE)
        event = await anext(events(response))

    assert event.document["progress"]["papers_fetched"] == 1


async def test_who_comes_back_late_gets_the_newest_state_only(api, sql, job):
    async with api.get(EVENTS) as response:
        seen = await anext(events(response))
    for _ in range(3):
        await sql(MOVE)

    async with api.get(EVENTS, headers={"Last-Event-ID": seen.id}) as response:
        event = await anext(events(response))

    assert event.document["progress"]["papers_fetched"] == 3


@pytest.mark.parametrize("nonsense", ["", "abc", "-1", "1.0", "NaN", "9" * 30, "١", "0", "' OR 1"])
async def test_a_last_event_id_that_is_none_is_treated_as_none(api, job, nonsense):
    async with api.get(EVENTS, headers={"Last-Event-ID": nonsense}) as response:
        event = await anext(events(response))

    assert event.document["job_id"] == JOB


async def test_a_final_job_is_its_state_and_the_end(api, sql, job):
    await sql(END)

    async with api.get(EVENTS) as response:
        status, end = [event async for event in events(response)]
    async with api.get(EVENTS, headers={"Last-Event-ID": end.id}) as response:
        (once_more,) = [event async for event in events(response)]

    again = await api.get(EVENTS, headers={"Last-Event-ID": once_more.id})
    assert [status.name, end.name, once_more.name] == ["status", "end", "end"]
    assert status.document["status"] == "completed"
    assert status.document == end.document == once_more.document
    assert (end.id, once_more.id) == (status.id, f"{status.id}.end")
    assert (again.status, await again.read()) == (204, b"")


async def test_head_is_get_without_the_stream(api, job):
    response = await api.head(EVENTS)

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    await emptied(api)


async def test_counters_never_go_back_between_events(api, sql, job):
    async def work() -> None:
        for _ in range(60):
            await sql(MOVE)
        await sql(END)

    async with api.get(EVENTS) as response:
        working = asyncio.create_task(work())
        seen = [event async for event in events(response)]
        await working

    fetched = [event.document["progress"]["papers_fetched"] for event in seen]
    assert fetched == sorted(fetched)
    assert fetched[-1] == 60
    states = [int(event.id) for event in seen if event.name == "status"]
    assert states == sorted(set(states))


async def test_a_stream_outlives_an_absence_of_the_database(serve, link, sql, job, open_database):
    api = await serve(database=open_database(link.url, deadline_seconds=0.5))
    async with api.get(EVENTS) as response:
        stream = events(response)
        await anext(stream)
        link.freeze()
        assert (await api.get(STATUS)).status == 500
        await sql(MOVE)
        link.thaw()

        event = await anext(stream)

    assert event.document["progress"]["papers_fetched"] == 1


async def test_two_hundred_waiters_need_one_read_and_no_connection(
    serve, database_url, sql, job, open_database
):
    api = await serve(
        database=open_database(
            database_url, name="tests watchers", deadline_seconds=2.5, pool_size=2
        )
    )
    async with crowd(api) as session:
        responses = [await session.get(EVENTS) for _ in range(100)]
        streams = [events(response) for response in responses]
        polls = [asyncio.create_task(session.get(STATUS, headers=LONG)) for _ in range(100)]
        for stream in streams:
            await anext(stream)
        await begun(api, 200)
        held = await sql(HELD)

        await sql(MOVE)
        bodies = {await (await one).text() for one in polls}
        bodies |= {(await anext(stream)).data for stream in streams}
        for response in responses:
            response.close()

    assert len(bodies) == 1
    assert held == [(0,)]
    await emptied(api)
