"""A plain look at a job goes past router and middlewares, and is answered as if it had not."""

import asyncio
import logging
import re
from email.utils import parsedate_to_datetime

import pytest
import structlog
from aiohttp import hdrs
from aiohttp.test_utils import TestClient, TestServer

from service.api.fast_path import STATUS_ROUTE
from service.api.handlers.health import READINESS
from service.api.job_status import JOB_STATUS_READER
from service.api.middlewares.rate_limit import Bounds
from service.api.shutdown_delay import SHUTDOWN_DELAY
from service.domain.errors import DatabaseUnavailable
from tests.api.conftest import bearer, is_problem, token

JOB = "123e4567-e89b-12d3-a456-426614174000"
URL = f"/api/v1/ingestion/job/{JOB}"
CLOSE = {hdrs.CONNECTION: "close"}  # what is not plain goes aiohttp's way


@pytest.fixture
async def job(sql):
    await sql(f"INSERT INTO jobs (id, request) VALUES ('{JOB}', '{{\"q\": \"ψ\"}}')")


@pytest.fixture
async def routed(api, job, monkeypatch) -> list[str]:
    """Paths of the requests that took the regular path, since the caller's token is known."""
    async with api.get(URL) as answer:
        assert answer.status == 200
    paths: list[str] = []
    resolve = api.app.router.resolve

    async def resolve_noted(request):
        paths.append(request.path)
        return await resolve(request)

    monkeypatch.setattr(api.app.router, "resolve", resolve_noted)
    return paths


def request(api, version="1.1", *more: str) -> bytes:
    """A look with the token that the client of the tests has, known since its first request."""
    token = f"Authorization: {api.session.headers[hdrs.AUTHORIZATION]}"
    lines = (f"GET {URL} HTTP/{version}", "Host: here", token, *more)
    return "\r\n".join((*lines, "", "")).encode()


async def exchanged(api, sent: bytes) -> bytes:
    """All that comes back until the connection ends."""
    async with asyncio.timeout(60):
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


async def test_the_bytes_are_those_that_aiohttp_would_send(api, routed):
    named = "X-Request-ID: mine-1"
    received = await exchanged(
        api, request(api, "1.1", named) + request(api, "1.1", named, "Connection: close")
    )

    ready, made = (
        b"HTTP/1.1 200 OK\r\n" + part for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    )
    assert b"Connection:" not in ready
    assert b"Connection: close" in made
    assert b"X-Request-ID: mine-1\r\n" in ready
    assert lines_of(ready) == lines_of(made)
    assert routed == [URL]


async def test_the_date_is_now(api, routed):
    async with api.get(URL) as ready, api.get(URL, headers=CLOSE) as made:
        moments = [parsedate_to_datetime(answer.headers[hdrs.DATE]) for answer in (ready, made)]

    assert 0 <= (moments[1] - moments[0]).total_seconds() < 30


async def test_many_requests_at_once_are_answered_in_their_order(api, routed):
    unknown = request(api).replace(JOB.encode(), JOB.replace("123e", "0000").encode())

    received = await exchanged(
        api, (request(api) + unknown) * 10 + request(api, "1.1", "Connection: close")
    )

    assert codes_in(received) == [b"200", b"404"] * 10 + [b"200"]
    assert len(routed) == 11


async def test_an_old_client_is_answered_in_its_version(api, job):
    received = await exchanged(api, request(api, "1.0"))

    assert received.startswith(b"HTTP/1.0 200 OK\r\n")


async def test_head_is_answered_without_the_body(api, job):
    async with api.get(URL) as answer, api.head(URL) as head:
        length = len(await answer.read())

        assert await head.read() == b""
        assert head.headers[hdrs.CONTENT_LENGTH] == str(length)


async def test_a_process_that_stops_tells_so(api, routed):
    api.app[READINESS].is_stopping = True

    async with api.get(URL) as answer:
        assert answer.headers[hdrs.CONNECTION] == "close"


async def test_limits_are_shown_where_there_are_some(serve, job):
    api = await serve(bounds=Bounds(reads=7))

    async with api.get(URL) as answer:
        assert answer.headers["RateLimit"].startswith('"reads";r=6')


async def test_it_counts_as_traffic_and_in_the_metrics(api, routed):
    api.app[SHUTDOWN_DELAY].latest_at = -1.0

    async with api.get(URL):
        pass

    async with api.get("/metrics") as answer:
        counted = [line for line in (await answer.text()).splitlines() if "_count{" in line]
    assert any('status="200"' in line and line.endswith(" 2.0") for line in counted)
    assert api.app[SHUTDOWN_DELAY].latest_at > 0
    assert routed == ["/metrics"]


async def test_both_ways_are_logged_alike(api, routed):
    logger = logging.getLogger("service.api.access_log")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        with structlog.testing.capture_logs() as logged:
            async with api.get(URL, headers={"X-Request-ID": "mine-1"}):
                pass
            async with api.get(f"{URL}?a=b", headers={"X-Request-ID": "mine-1"}):
                pass
            async with api.get("/healthz"):  # behind the lines of those before
                pass
    finally:
        logger.setLevel(level)

    ready, made = ({**one, "duration_ms": 0} for one in logged if one["route"] != "/healthz")
    assert ready == made
    assert (ready["request_id"], ready["caller"]) == ("mine-1", "alice")
    assert ready["route"] == STATUS_ROUTE
    assert ready["bytes"] > 300
    assert routed == [URL, "/healthz"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("HEAD", URL, {}, 200, id="no body wanted"),
        pytest.param("GET", URL, {"If-None-Match": "*"}, 304, id="seen"),
        pytest.param("GET", URL, {"Prefer": "wait=0"}, 200, id="waiting"),
        pytest.param("GET", f"{URL}?a=b", {}, 200, id="query"),
        pytest.param("GET", f"{URL}/", {}, 404, id="longer path"),
        pytest.param("GET", URL[:-1], {}, 404, id="no job id"),
        pytest.param("GET", URL, {"Authorization": "Bearer a.b.c"}, 401, id="unknown token"),
        pytest.param("GET", URL, {"Authorization": ""}, 401, id="no token"),
        pytest.param("PUT", URL, {}, 405, id="no such method"),
    ],
)
async def test_whatever_is_not_plain_goes_the_long_way(api, routed, method, path, headers, status):
    async with api.request(method, path, headers=headers) as answer:
        assert answer.status == status

    assert routed == [path.partition("?")[0]]


LONG = 'If-None-Match: "0"'  # of no state: the answer is the same, by the regular path
CONTINUE, CHUNKED = "Expect: 100-continue", "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("headers", "body", "codes"),
    [
        pytest.param(["Content-Length: 2"], b"{}", [b"200"], id="a body"),
        pytest.param([CHUNKED], b"2\r\n{}\r\n0\r\n\r\n", [b"200"], id="a body in chunks"),
        pytest.param([CHUNKED], b"2\r\n{}\r\nx\r\n", [b"400"], id="a body in bad chunks"),
        pytest.param(["Connection: Upgrade", "Upgrade: websocket"], b"", [b"200"], id="upgrade"),
        pytest.param([CONTINUE], b"", [b"100", b"200"], id="expect"),
        pytest.param([CONTINUE, "Content-Length: 2"], b"{}", [b"100", b"200"], id="expect, body"),
        pytest.param(["Expect: tea"], b"", [b"417"], id="expect what nobody can"),
    ],
)
async def test_what_is_odd_is_answered_as_on_the_long_way_and_so_is_what_comes_behind(
    api, routed, headers, body, codes
):
    unknown = request(api, "1.1", "Connection: close").replace(JOB[:4].encode(), b"0000")

    short, long = [
        codes_in(await exchanged(api, request(api, "1.1", *headers, *more) + body + unknown))
        for more in ([], [LONG])
    ]

    behind = [] if b"400" in codes else [b"404"]
    assert short == long == [*codes, *behind]


def codes_in(received: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)


async def test_two_tokens_are_none(api, routed):
    twice = request(api, "1.1", f"Authorization: Bearer {token()}")

    received = await exchanged(api, twice + request(api, "1.1", "Connection: close"))

    assert codes_in(received) == [b"401", b"200"]


async def test_a_caller_who_was_blocked_is_refused(api, routed, sql):
    await sql("INSERT INTO callers (sub, is_blocked) VALUES ('alice', true)")

    async with asyncio.timeout(60):
        while (await api.get(URL)).status != 401:  # noqa: ASYNC110 - the list is read anew soon
            await asyncio.sleep(0.05)

    assert routed == [URL]


async def test_a_failure_is_told_by_the_long_way_without_a_second_look(api, routed, monkeypatch):
    looks = []

    async def fail(job_id):
        looks.append(job_id)
        raise DatabaseUnavailable("the database is not available")

    monkeypatch.setattr(api.app[JOB_STATUS_READER], "get", fail)

    async with api.get(URL) as answer:
        document = await answer.json()

    assert is_problem(answer, document)
    assert answer.status == 500
    assert (len(looks), routed) == (1, [URL])


async def test_an_error_of_ours_is_told_without_what_it_says(api, routed, monkeypatch):
    async def fail(job_id):
        raise RuntimeError("secret")

    monkeypatch.setattr(api.app[JOB_STATUS_READER], "get", fail)

    async with api.get(URL) as answer:
        assert answer.status == 500
        assert "secret" not in await answer.text()


async def test_a_stop_in_the_middle_of_a_look_is_told(api, routed, monkeypatch):
    look = api.app[JOB_STATUS_READER].get

    async def stop_meanwhile(job_id):
        api.app[READINESS].is_stopping = True
        return await look(job_id)

    monkeypatch.setattr(api.app[JOB_STATUS_READER], "get", stop_meanwhile)

    async with api.get(URL) as answer:
        assert (answer.status, answer.headers[hdrs.CONNECTION]) == (200, "close")


async def test_in_anothers_runner_there_is_no_short_way(api, job):
    async with TestServer(api.app) as server, TestClient(server) as other:
        answer = await other.get(URL, headers=bearer(token()))

        assert answer.status == 200


async def test_another_state_has_another_answer_and_tag(api, routed, sql):
    async with api.get(URL) as first:
        before = await first.json()
    await sql("UPDATE jobs SET papers_fetched = 1")

    async with api.get(URL) as second:
        after = await second.json()

    assert (before["progress"]["papers_fetched"], after["progress"]["papers_fetched"]) == (0, 1)
    assert first.headers[hdrs.ETAG] != second.headers[hdrs.ETAG]
