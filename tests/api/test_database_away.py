"""Responses while the database is unavailable, busy or hanging: in time, and safe to show."""

import asyncio

import pytest
from sqlalchemy import text

JOB = "123e4567-e89b-12d3-a456-426614174000"
STATUS = f"/api/v1/ingestion/job/{JOB}"
BODY = {"search_query": {"category": "cs.AI"}}
OTHERS = [
    ("GET", "/api/v1/ingestion/jobs"),
    ("POST", "/api/v1/ingestion/arxiv"),
    ("DELETE", STATUS),
]
NOWHERE = "postgresql://user:hunter2@127.0.0.1:1/secretdb"
INSIDES = (b"SELECT", b"UPDATE", b"hunter2", b"secretdb", b"postgres", b"asyncpg", b"127.0.0.1")


async def asked(api, method: str, path: str):
    """Answer and document of one request, which comes whatever the database does."""
    async with asyncio.timeout(60):
        response = await api.request(method, path, json=BODY if method == "POST" else None)
        body = await response.read()
    assert not any(word in body for word in INSIDES)
    assert response.content_type == "application/problem+json"
    return response, await response.json(content_type=None)


@pytest.fixture
async def away(serve, open_database):
    """An application whose database is not there."""
    return await serve(database=open_database(NOWHERE, deadline_seconds=2.5))


async def test_the_status_route_says_so_as_its_contract_has_it(away):
    response, problem = await asked(away, "GET", STATUS)

    assert response.status == 500
    assert problem["detail"].startswith("Failed to get job status: ")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_other_routes_are_unavailable(away, method, path):
    response, problem = await asked(away, method, path)

    assert (response.status, problem["status"]) == (503, 503)
    assert int(response.headers["Retry-After"]) > 0


async def test_the_process_is_alive_and_not_ready(away):
    alive = await away.get("/healthz")
    response, problem = await asked(away, "GET", "/readyz")

    assert alive.status == 200
    assert response.status == 503
    assert "database" in problem["detail"]


async def test_a_locked_table_gets_an_answer_in_time_and_heals(api, database, sql):
    await sql(f"INSERT INTO jobs (id) VALUES ('{JOB}')")
    async with database.engine.begin() as conn:
        await conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await conn.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))

        status, _ = await asked(api, "GET", STATUS)
        listed, _ = await asked(api, "GET", "/api/v1/ingestion/jobs")
        posted, _ = await asked(api, "POST", "/api/v1/ingestion/arxiv")

    assert (status.status, listed.status, posted.status) == (500, 503, 503)
    assert (await api.get(STATUS)).status == 200
    assert await sql("SELECT count(*) FROM pgqueuer") == [(0,)]


async def test_an_exhausted_pool_is_a_busy_database(serve, database_url, database, open_database):
    api = await serve(database=open_database(database_url, deadline_seconds=1, pool_size=2))
    async with database.engine.begin() as conn:
        await conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        await conn.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        answers = await asyncio.gather(
            *(asked(api, "GET", "/api/v1/ingestion/jobs") for _ in range(50))
        )

    assert {response.status for response, _ in answers} == {503}
    assert (await api.get("/api/v1/ingestion/jobs")).status == 200


async def test_a_server_that_stops_answering_is_noticed_in_time(serve, link, open_database):
    api = await serve(database=open_database(link.url, deadline_seconds=2.5))
    assert (await api.get("/api/v1/ingestion/jobs")).status == 200
    link.freeze()

    answers = await asyncio.gather(
        asked(api, "GET", STATUS), *(asked(api, method, path) for method, path in OTHERS)
    )
    alive = await api.get("/healthz")
    link.thaw()

    assert [response.status for response, _ in answers] == [500, 503, 503, 503]
    assert alive.status == 200
    assert (await api.get("/api/v1/ingestion/jobs")).status == 200


async def test_backends_that_were_ended_are_replaced(api, sql):
    await api.get("/api/v1/ingestion/jobs")
    await sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'tests api'"
    )

    statuses = [(await api.get("/api/v1/ingestion/jobs")).status for _ in range(4)]

    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200
