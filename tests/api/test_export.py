"""All papers as NDJSON: any number, any speed, no connection held, an honest end."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from service.api.handlers.papers import EXPORT_CHUNK
from service.api.server import ConnectionLimits, Runner
from service.api.streaming import STREAMS
from service.db.papers import PaperStore
from service.process.build_api import build_api
from tests.api.conftest import RULES
from tests.conftest import make_paper

URL = "/api/v1/papers"
NDJSON = {"Accept": "application/x-ndjson"}
START = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture
def hold(database):
    """Store so many papers, of the given abstract."""

    async def hold(count: int, abstract: str = "An abstract.") -> None:
        papers = [
            make_paper(f"2301.{n:05}v1", published_at=START + timedelta(n), abstract=abstract)
            for n in range(count)
        ]
        async with database.transaction() as conn:
            await PaperStore(conn).upsert(papers, overwrite=True)

    return hold


def ids(body: str) -> list[str]:
    return [json.loads(line)["arxiv_id"] for line in body.splitlines()]


async def test_an_export_has_every_paper_once_a_line_each(api, hold):
    await hold(2 * EXPORT_CHUNK + 1)

    response = await api.get(URL, headers=NDJSON)
    body = await response.text()

    assert (response.status, response.content_type) == (200, "application/x-ndjson")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert body.endswith("\n")
    assert ids(body) == [f"2301.{n:05}" for n in reversed(range(2 * EXPORT_CHUNK + 1))]


async def test_a_line_is_the_paper_as_its_own_route_shows_it(api, hold):
    await hold(1)

    (line,) = (await (await api.get(URL, headers=NDJSON)).text()).splitlines()

    assert json.loads(line) == await (await api.get(f"{URL}/2301.00000")).json()


@pytest.mark.parametrize("count", [0, EXPORT_CHUNK])
async def test_an_export_of_no_or_exactly_one_chunk_ends(api, hold, count):
    await hold(count)

    assert len(ids(await (await api.get(URL, headers=NDJSON)).text())) == count


async def test_an_export_takes_filters_and_a_cursor(api, hold):
    await hold(5)
    page = await api.get(URL, params={"limit": 2, "to_date": "20230104"})
    rest = page.links["next"]["url"].relative().without_query_params("limit")

    response = await api.get(str(rest), headers=NDJSON)

    assert ids(await response.text()) == ["2301.00001", "2301.00000"]


async def test_an_export_has_no_pages(api):
    response = await api.get(f"{URL}?limit=5", headers=NDJSON)

    problem = await response.json(content_type="application/problem+json")
    assert (response.status, list(problem["errors"])) == (422, ["limit"])


async def test_a_head_of_an_export_sends_no_line(api, hold):
    await hold(1)

    response = await api.head(URL, headers=NDJSON)

    assert (response.status, response.content_type) == (200, "application/x-ndjson")
    assert (await api.get("/healthz")).status == 200  # the connection is still in step


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, "application/json"),
        ("application/json, application/x-ndjson", 200, "application/json"),
        ("application/x-ndjson, */*", 200, "application/x-ndjson"),
        ("text/html", 406, "application/problem+json"),
    ],
)
async def test_the_form_is_the_one_that_the_caller_prefers(api, accept, status, kind):
    response = await api.get(URL, headers={"Accept": accept})

    assert (response.status, response.content_type) == (status, kind)


@asynccontextmanager
async def reading_nothing(api, port: int | None = None):
    """An export of more than all buffers on the way hold, of which only the head was read."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(headers=api.session.headers, read_bufsize=1024) as session:
        response = await session.get(
            api.make_url(URL).with_port(port or api.port),
            headers={
                **NDJSON,
                "Accept-Encoding": "identity",
            },  # packed it would fit into the buffers
            timeout=timeout,
        )
        yield response
        response.close()


LARGE = "x" * 200_000  # 100 of these are more than loopback's buffers take


async def test_a_slow_client_holds_no_connection_to_the_database(api, hold, api_database):
    await hold(EXPORT_CHUNK + 1, LARGE)

    async with reading_nothing(api) as response:
        assert response.status == 200
        async with asyncio.timeout(60):
            while api_database.engine.pool.checkedout():  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0)


@pytest.fixture
async def runner(api_database, store):
    """The application as the service itself runs it; handlers outlive their connection."""
    app = build_api(RULES, api_database, store)
    runner = Runner(app, ConnectionLimits(stalled_seconds=0.2))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner
    await runner.cleanup()


async def test_a_client_that_takes_nothing_is_cut_off(api, hold, runner):
    await hold(EXPORT_CHUNK, LARGE)

    async with reading_nothing(api, runner.addresses[0][1]) as response:
        async with asyncio.timeout(60):
            while runner.server.connections:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientError):
            await response.read()


async def test_a_client_that_breaks_the_connection_is_no_error_of_ours(api, hold, runner):
    await hold(EXPORT_CHUNK, LARGE)

    with capture_logs() as logged:
        async with reading_nothing(api, runner.addresses[0][1]) as response:
            response.connection.transport.abort()
        async with asyncio.timeout(60):
            while not any("error" in line for line in logged):  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0)

    assert {line["event"] for line in logged} <= {"response aborted", "slow client disconnected"}


async def test_an_export_is_broken_off_when_the_service_stops(api, hold):
    await hold(EXPORT_CHUNK + 1, LARGE)

    async with reading_nothing(api) as response:
        await response.content.readany()
        await api.app[STREAMS].stop(api.app)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_export_is_broken_off_when_the_database_goes_away(api, hold, sql):
    await hold(EXPORT_CHUNK + 1, LARGE)

    async with reading_nothing(api) as response:
        await response.content.readany()
        await sql("ALTER TABLE papers RENAME TO hidden")
        try:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        finally:
            await sql("ALTER TABLE hidden RENAME TO papers")


async def test_a_database_that_is_away_at_the_start_is_503(api, sql):
    await sql("ALTER TABLE papers RENAME TO hidden")
    try:
        response = await api.get(URL, headers=NDJSON)
    finally:
        await sql("ALTER TABLE hidden RENAME TO papers")

    assert response.status == 503
