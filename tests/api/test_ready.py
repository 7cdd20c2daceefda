"""The answer that is sent as bytes is the answer that aiohttp would make."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import hdrs

from service.api.health import READINESS
from service.api.rate import Bounds
from service.api.traffic import TRAFFIC
from tests.api.conftest import bearer, token

JOB = "123e4567-e89b-12d3-a456-426614174000"
URL = f"/api/v1/ingestion/job/{JOB}"
CLOSE = {hdrs.CONNECTION: "close"}  # what is not plain goes aiohttp's way


@pytest.fixture
async def job(sql):
    await sql(f"INSERT INTO jobs (id, request) VALUES ('{JOB}', '{{\"q\": \"ψ\"}}')")


def request(version="1.1", *more: str) -> bytes:
    lines = (f"GET {URL} HTTP/{version}", "Host: here", f"Authorization: Bearer {token()}", *more)
    return "\r\n".join((*lines, "", "")).encode()


async def exchanged(api, sent: bytes) -> bytes:
    """All that comes back until the connection ends."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(sent)
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
    return received


def lines_of(answer: bytes) -> set[bytes]:
    """The lines of an answer, but for those that tell of the moment and the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    passing = (b"Date:", b"Connection:")
    return {body, *(line for line in head.split(b"\r\n") if not line.startswith(passing))}


async def test_the_bytes_are_those_that_aiohttp_would_send(api, job):
    received = await exchanged(api, request() + request("1.1", "Connection: close"))

    ready, made = (
        b"HTTP/1.1 200 OK\r\n" + part for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    )
    assert b"Connection:" not in ready
    assert b"Connection: close" in made
    assert lines_of(ready) == lines_of(made)


async def test_the_date_is_now(api, job):
    async with api.get(URL) as ready, api.get(URL, headers=CLOSE) as made:
        moments = [parsedate_to_datetime(answer.headers[hdrs.DATE]) for answer in (ready, made)]

    assert 0 <= (moments[1] - moments[0]).total_seconds() < 30


async def test_many_requests_at_once_are_answered_in_their_order(api, job, sql):
    unknown = request().replace(JOB.encode(), JOB.replace("123e", "0000").encode())

    received = await exchanged(
        api, (request() + unknown) * 10 + request("1.1", "Connection: close")
    )

    codes = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert codes == [b"200", b"404"] * 10 + [b"200"]


async def test_an_old_client_is_answered_in_its_version(api, job):
    received = await exchanged(api, request("1.0"))

    assert received.startswith(b"HTTP/1.0 200 OK\r\n")


async def test_head_is_answered_without_the_body(api, job):
    async with api.get(URL) as answer, api.head(URL) as head:
        length = len(await answer.read())

        assert await head.read() == b""
        assert head.headers[hdrs.CONTENT_LENGTH] == str(length)


async def test_a_process_that_stops_tells_so(api, job):
    api.app[READINESS].is_stopping = True

    async with api.get(URL) as answer:
        assert answer.headers[hdrs.CONNECTION] == "close"


async def test_limits_are_shown_where_there_are_some(serve, job):
    api = await serve(bounds=Bounds(reads=7))

    async with api.get(URL) as answer:
        assert answer.headers["RateLimit"].startswith('"reads";r=6')


async def test_the_answer_counts_as_traffic(api, job):
    async with api.get(URL, headers=bearer(token())):
        pass

    assert api.app[TRAFFIC].latest_at > 0


async def test_another_state_has_another_answer_and_tag(api, job, sql):
    async with api.get(URL) as first:
        before = await first.json()
    await sql("UPDATE jobs SET papers_fetched = 1")

    async with api.get(URL, headers={hdrs.IF_NONE_MATCH: first.headers[hdrs.ETAG]}) as second:
        after = await second.json()

    assert (before["progress"]["papers_fetched"], after["progress"]["papers_fetched"]) == (0, 1)
    assert first.headers[hdrs.ETAG] != second.headers[hdrs.ETAG]
