"""Streams of events that are refused, end, or are cut off; and nothing is kept of them."""

import asyncio
import socket
from time import time

import pytest

from service.api.job_watch import JOB_WATCH
from service.api.watch_room import WatchLimits
from tests.api.conftest import JOB, STATUS, bearer, token
from tests.api.waiters import EVENTS, LONG, MOVE, begun, crowd, emptied, events

LARGE = f"""
    INSERT INTO job_errors (job_id, stage, error)
    SELECT '{JOB}', 'general', repeat('x', 1000) FROM generate_series(1, 100)
"""


@pytest.mark.parametrize("job_id", [JOB.replace("123e", "0000"), "abc", "%00"])
async def test_what_is_no_job_is_a_problem_before_any_stream(api, job, job_id):
    response = await api.get(EVENTS.replace(JOB, job_id))

    assert response.status == 404
    assert response.content_type == "application/problem+json"
    assert (await response.json(content_type=None))["detail"] == "Job not found"
    await emptied(api)


async def test_without_a_token_there_is_no_stream(serve, job):
    api = await serve(sub=None)

    response = await api.get(EVENTS)

    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_database_there_is_no_stream(serve, job, open_database):
    api = await serve(
        database=open_database("postgresql://u:p@127.0.0.1:1/none", deadline_seconds=1)
    )

    response = await api.get(EVENTS)

    assert response.status == 503
    assert "Retry-After" in response.headers


async def test_streams_end_when_the_process_is_to_stop(api, job):
    async with api.get(EVENTS) as response:
        stream = events(response)
        await anext(stream)
        await begun(api)

        api.app[JOB_WATCH].close()

        assert [event async for event in stream] == []
    late = await api.get(EVENTS)
    assert late.status == 503
    assert "Retry-After" in late.headers
    assert late.content_type == "application/problem+json"


async def test_beyond_the_bound_there_is_no_stream(serve, job):
    api = await serve(wait_limits=WatchLimits(waiters=1))
    async with api.get(EVENTS) as response:
        await begun(api)

        more = await api.get(EVENTS)

        assert response.status == 200
        assert more.status == 503
        assert "Retry-After" in more.headers


async def test_a_caller_who_waits_much_leaves_room_for_others(serve, job):
    limits = WatchLimits(waiters=3, waiters_per_caller=1)
    api = await serve(wait_limits=limits)
    other = {"headers": bearer(token(sub="bob"))}
    async with api.get(EVENTS) as first, api.get(EVENTS, **other) as others:
        await begun(api, 2)
        refused, polled = await api.get(EVENTS), await api.get(STATUS, headers=LONG)

        assert (first.status, others.status, refused.status) == (200, 200, 503)
        assert "Retry-After" in refused.headers
        assert polled.status == 200
        assert "Preference-Applied" not in polled.headers
    await emptied(api)
    async with api.get(EVENTS) as again:
        assert again.status == 200


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "INSERT INTO callers (sub, is_blocked) VALUES ('alice', true)", id="caller blocked"
        ),
        pytest.param("DELETE FROM jobs", id="job deleted"),
    ],
)
async def test_the_stream_of_a_blocked_caller_or_a_deleted_job_ends(api, sql, job, statement):
    async with api.get(EVENTS) as response:
        stream = events(response)
        await anext(stream)

        await sql(statement)

        assert [event async for event in stream] == []


async def test_the_stream_ends_with_its_token(serve, job):
    api = await serve(sub=None)
    short = bearer(token(exp=int(time()) - 1))  # good by the leeway of five seconds

    async with asyncio.timeout(60), api.get(EVENTS, headers=short) as response:
        seen = [event async for event in events(response)]

    assert len(seen) == 1


async def test_those_who_left_are_forgotten(api, job):
    async with crowd(api) as session:
        streams = [await session.get(EVENTS) for _ in range(5)]
        await begun(api, 5)
        for stream in streams:
            stream.close()

    await emptied(api)


async def test_who_takes_nothing_is_cut_off(serve, sql, job):
    api = await serve(wait_limits=WatchLimits(send=WatchLimits().poll))
    await sql(LARGE)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((api.host, api.port))
        head = f"GET {EVENTS} HTTP/1.1\r\nHost: x\r\n{_authorization(api)}\r\n\r\n"
        client.sendall(head.encode())
        await begun(api)

        async with asyncio.timeout(60):
            while len(api.app[JOB_WATCH]):
                await sql(MOVE)


def _authorization(api) -> str:
    return f"Authorization: {api.session.headers['Authorization']}"
