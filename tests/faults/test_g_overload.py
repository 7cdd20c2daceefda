"""Overload: slow senders, greedy callers, too many jobs; whoever behaves goes on being served."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web

from service.api.handlers.jobs import QUOTAS
from service.api.middlewares.rate_limit import Bounds, Window
from service.api.server import ConnectionLimits, Runner
from service.process.build_api import LAG, build_api
from tests.api.conftest import GOOD_BODY, RULES, bearer, is_problem, token

URL = "/api/v1/ingestion/arxiv"
JOBS = "/api/v1/ingestion/jobs"
CROWD = 500
SOON = 60  # seconds until a test is given up; nothing waits for so long
HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POSTING = (
    b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    b"Authorization: %s\r\n\r\n"
)


@asynccontextmanager
async def served(app: web.Application, **limits: Any) -> AsyncIterator[int]:
    """The port of a server as the service runs it, with `limits` on its connections."""
    runner = Runner(app, ConnectionLimits(**limits))
    try:
        await runner.listen("127.0.0.1", 0)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def until_closed(port: int, sent: bytes, *, drip: bytes = b"") -> bytes:
    """All that comes back for `sent` until the server hangs up, while `drip` drips."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dripping = asyncio.create_task(_drip(writer, drip)) if drip else None
    answer = b""
    try:
        writer.write(sent)
        async with asyncio.timeout(SOON):
            while data := await reader.read(65536):
                answer += data
    except ConnectionResetError:
        pass  # that is closed, too
    finally:
        if dripping is not None:
            dripping.cancel()
        writer.transport.abort()
    return answer


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    while not writer.is_closing():
        writer.write(data)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("sent", [HALF, b"", WHOLE], ids=["half a head", "silent", "keep-alive"])
async def test_case_88_a_crowd_that_waits_is_closed_and_a_healthy_client_served(
    api_database, store, sent
):
    answers = []
    app = build_api(RULES, api_database, store)

    async with served(app, idle_seconds=2) as port, ClientSession() as healthy:
        crowd = asyncio.gather(*(until_closed(port, sent) for _ in range(CROWD)))
        while not crowd.done():
            async with healthy.get(f"http://127.0.0.1:{port}/healthz") as response:
                answers.append(response.status)
            await asyncio.wait({crowd}, timeout=0.1)
        ends = await crowd

    assert all(end.count(b"HTTP/1.1 200") == (sent == WHOLE) for end in ends)
    assert set(answers) == {200}
    assert ConnectionLimits().idle_seconds < 30


async def test_case_88_a_head_that_drips_is_closed_at_the_same_deadline(api_database, store):
    async with served(build_api(RULES, api_database, store), idle_seconds=0.5) as port:
        answer = await until_closed(port, HALF, drip=b"a")

    assert b"200" not in answer


async def test_case_88_a_body_that_drips_is_told_so_and_closed(api_database, store, sql):
    app = build_api(RULES, api_database, store, Bounds(body_seconds=0.5))
    sent = POSTING % (URL.encode(), b"Bearer " + token().encode())

    async with served(app, linger_seconds=0.5) as port:
        answer = await until_closed(port, sent, drip=b" ")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert await sql("SELECT id FROM jobs") == []
    assert Bounds().body_seconds + ConnectionLimits().linger_seconds < 30


async def test_case_88_a_body_that_nobody_wants_is_not_waited_for(api_database, store):
    sent = POSTING % (URL.encode(), b"Bearer forged")

    async with served(build_api(RULES, api_database, store), linger_seconds=0.5) as port:
        answer = await until_closed(port, sent, drip=b" ")

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_case_88_a_reader_that_takes_nothing_is_cut():
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", endless)
    async with served(app, stalled_seconds=0.5) as port:
        with socket.create_connection(("127.0.0.1", port)) as lazy:
            lazy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(SOON):
                await ended.wait()


async def test_case_88_connections_over_the_bound_are_refused_at_once(api_database, store):
    async with served(build_api(RULES, api_database, store), most=3) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in held:
            writer.write(WHOLE)
            await reader.readuntil(b"\r\n\r\n")  # served, so it counts
        refused = await until_closed(port, b"")
        for _, writer in held:
            writer.transport.abort()
        async with asyncio.timeout(SOON):
            while not (await until_closed(port, CLOSING)).startswith(b"HTTP/1.1 200 "):
                pass

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in refused
    assert b"Retry-After: " in refused


CLOSING = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def posted(client: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    response = await client.post(URL, json=GOOD_BODY, headers=headers)
    assert response.status == 202 or is_problem(response, await response.json(content_type=None))
    return response


async def test_case_89_a_caller_over_its_rate_is_told_when_to_come_again(serve):
    alice = await serve(bounds=Bounds(writes=3))
    good = [await posted(alice) for _ in range(3)]

    refused = await posted(alice)
    seen = await alice.get(JOBS)
    bob = await alice.post(URL, json=GOOD_BODY, headers=bearer(token(sub="bob")))

    assert [response.status for response in good] == [202] * 3
    assert [response.headers["RateLimit"][:12] for response in good] == [
        f'"writes";r={left}' for left in (2, 1, 0)
    ]
    assert (refused.status, seen.status, bob.status) == (429, 200, 202)
    assert (await refused.json())["code"] == "rate_exceeded"
    assert refused.headers["RateLimit-Policy"] == '"writes";q=3;w=60'
    reset = int(refused.headers["RateLimit"].partition(";t=")[2])
    assert reset <= int(refused.headers["Retry-After"]) <= 60
    assert "RateLimit" not in seen.headers


async def test_case_89_reads_can_be_limited_too(serve):
    alice = await serve(bounds=Bounds(reads=1))

    answers = [await alice.get(JOBS), await alice.get(JOBS), await alice.get("/healthz")]

    assert [response.status for response in answers] == [200, 429, 200]


def test_case_89_a_window_ends_and_the_next_begins():
    now = 100.0
    window = Window("reads", 2, seconds=10, clock=lambda: now)

    first = [window.take("alice") for _ in range(3)]
    now = 109.5
    still = (window.take("alice"), window.take("bob"), window.resets_in())
    now = 110.0

    assert first == [1, 0, -1]
    assert still == (-2, 1, 1)
    assert window.take("alice") == 1


@pytest.fixture
def count(sql: Any) -> Callable[[], Any]:
    async def count() -> int:
        return (await sql("SELECT count(*) FROM jobs"))[0][0]

    return count


async def test_case_89_the_quota_of_jobs_is_exact_over_replicas(serve, sql, count):
    replicas = [await serve(bounds=Bounds(jobs_per_caller=3)) for _ in range(3)]

    answers = await asyncio.gather(*(posted(replicas[n % 3], f"key {n}") for n in range(18)))
    accepted = [n for n, response in enumerate(answers) if response.status == 202]
    refused = next(response for response in answers if response.status == 429)
    repeated = await posted(replicas[0], f"key {accepted[0]}")
    bob = await replicas[0].post(URL, json=GOOD_BODY, headers=bearer(token(sub="bob")))
    seen = await replicas[0].get(JOBS)

    assert sorted(response.status for response in answers) == [202] * 3 + [429] * 15
    assert (await refused.json())["code"] == "quota_exceeded"
    assert refused.headers["RateLimit-Policy"] == '"unfinished-jobs";q=3'
    assert int(refused.headers["Retry-After"]) > 0
    assert (repeated.status, bob.status, seen.status) == (202, 202, 200)
    assert await count() == 4


async def test_case_89_a_job_that_ends_makes_room(serve, sql):
    alice = await serve(bounds=Bounds(jobs_per_caller=1))
    await posted(alice)
    full = await posted(alice)
    await sql("UPDATE jobs SET status = 'completed'")

    assert full.status == 429
    assert (await posted(alice)).status == 202


async def test_case_89_a_full_queue_is_503_and_reading_goes_on(serve, sql, count, api_database):
    alice = await serve(bounds=Bounds(jobs=2))
    good = [await posted(alice, "key"), await posted(alice)]

    refused = await posted(alice)
    repeated = await posted(alice, "key")
    seen = await alice.get(good[0].headers["Location"])
    before = await count()
    await sql("UPDATE jobs SET status = 'cancelled'")
    await alice.app[QUOTAS].look(api_database)
    again = await posted(alice)

    assert (refused.status, repeated.status, seen.status) == (503, 202, 200)
    assert int(refused.headers["Retry-After"]) > 0
    assert before == 2
    assert again.status == 202


async def test_case_89_a_full_queue_is_told_before_the_body_is_looked_at(serve, count):
    alice = await serve(bounds=Bounds(jobs=1))
    await posted(alice, "key")

    refused = await alice.post(URL, data=b"{")
    repeated = await alice.post(URL, data=b"{", headers={"Idempotency-Key": "key"})

    assert (refused.status, repeated.status) == (503, 415)
    assert await count() == 1


async def test_case_89_ten_thousand_jobs_of_one_do_not_stand_before_a_single_one(serve, sql):
    await sql(
        "INSERT INTO jobs (requested_by) SELECT 'alice' FROM generate_series(1, 9990)",
    )
    alice, bob = await serve(), await serve(sub="bob")

    for client in (alice, bob):
        await posted(client)
    order = await sql(
        "SELECT j.requested_by FROM pgqueuer q JOIN jobs j ON j.id::text = q.headers ->> 'job'"
        " ORDER BY q.priority DESC, q.id"
    )

    assert [name for (name,) in order] == ["bob", "alice"]


async def test_case_89_while_the_loop_is_stuck_only_new_work_is_refused(serve):
    alice = await serve()
    good = await posted(alice)
    for _ in range(5):
        alice.app[LAG].note(2.0)

    refused = await posted(alice)
    alice.app[LAG].note(2.0)
    seen = await alice.get(good.headers["Location"])
    cancelled = await alice.delete(good.headers["Location"])

    assert (refused.status, seen.status, cancelled.status) == (503, 200, 200)
    assert int(refused.headers["Retry-After"]) > 0
