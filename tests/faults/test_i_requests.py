"""Cases 105, 108, 109 and 129: what clients and other transactions do, and must not notice."""

import asyncio
import json

import pytest
import structlog

from service.api.handlers import jobs
from service.api.handlers.metrics import METRICS
from service.domain.errors import TransactionConflict
from tests.api.conftest import GOOD_BODY, JOB, PREFIX, is_problem
from tests.api.test_fast_path import request as status_request


@pytest.fixture
async def job(sql):
    """A running job with the id `JOB`."""
    await sql(f"INSERT INTO jobs (id, status, started_at) VALUES ('{JOB}', 'running', now())")


CLAUSES = ["42", "200-ok", "<script>alert(1)</script>", "100-continue, 42"]


async def test_case_105_a_lost_transaction_is_run_again(api, monkeypatch):
    submit, lost = jobs.submit, []

    async def lose_twice(*args, **options):
        if len(lost) < 2:
            lost.append(None)
            raise TransactionConflict("the database is not available")
        return await submit(*args, **options)

    monkeypatch.setattr(jobs, "submit", lose_twice)
    async with api.post(f"{PREFIX}/arxiv", json=GOOD_BODY) as answer:
        assert answer.status == 202
    assert len(lost) == 2


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_case_105_what_postgresql_calls_a_conflict_is_one(api_database, state):
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{state}'; END $$"

    with pytest.raises(TransactionConflict):
        async with api_database.transaction() as conn:
            await conn.exec_driver_sql(raising)


HEADS = {
    "in the middle of the head": b"POST /api/v1/ingestion/arxiv HTTP/1.1\r\nHost: x\r\nContent-",
    "in the middle of the body": (
        b"POST /api/v1/ingestion/arxiv HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    ),
    "in the middle of a chunk": (
        b"POST /api/v1/ingestion/arxiv HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"
    ),
    "before the answer": b"GET /api/v1/papers HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n",
    "in the middle of a stream": (
        f"GET {PREFIX}/job/{JOB}/events HTTP/1.1\r\nHost: x\r\n".encode()
        + b"Authorization: %b\r\n\r\n"
    ),
}


@pytest.mark.parametrize("moment", HEADS)
async def test_case_108_a_client_that_leaves_is_no_error(api, job, caplog, moment):
    head = HEADS[moment]
    token = api.session.headers["Authorization"].encode()
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(head % token if b"%b" in head else head)
            await writer.drain()
            await asyncio.sleep(0)  # what was sent is on its way
            writer.transport.abort()
        async with api.get("/healthz") as answer:  # behind all of them
            assert answer.status == 200
        async with asyncio.timeout(60):
            while len(api.server.runner.server.connections) > 1:  # noqa: ASYNC110 - until all left
                await asyncio.sleep(0.01)

    told = [line for line in logs if line["log_level"] in ("error", "critical")]
    assert told == []
    assert [one for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")] == []
    figures = api.app[METRICS].registry.collect()
    statuses = {s.labels.get("status") for family in figures for s in family.samples}
    assert not {"500", "503"} & statuses


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("path", ["/healthz", "/nowhere", f"{PREFIX}/jobs", "/api/v1/papers"])
async def test_case_109_an_unknown_expectation_is_a_problem(api, path, clause):
    async with api.get(path, headers={"Expect": clause}) as answer:
        body = await answer.read()

    assert answer.status == 417
    assert is_problem(answer, json.loads(body))
    assert clause not in json.loads(body)["detail"]
    assert clause == "42" or clause.encode() not in body  # an id may have those digits


@pytest.mark.parametrize("clause", CLAUSES)
async def test_case_109_without_a_token_the_token_is_missed_first(serve, clause):
    anybody = await serve(sub=None)

    async with anybody.get(f"{PREFIX}/jobs", headers={"Expect": clause}) as answer:
        assert answer.status == 401
        assert is_problem(answer, await answer.json(content_type=None))


async def test_case_109_also_on_the_status_route(api, job):
    async with api.get(f"{PREFIX}/job/{JOB}") as known:
        assert known.status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(status_request(api, "1.1", "Expect: tea", "Connection: close"))
    received = await asyncio.wait_for(reader.read(), 30)
    writer.close()

    assert received.startswith(b"HTTP/1.1 417 ")
    assert b"tea" not in received
    assert b'"code":"expectation_failed"' in received


async def test_case_129_plain_clients_see_no_empty_event(api, sql, job):
    """Every block that a blank line ends has data: as a client reads that knows no more."""
    await sql(f"UPDATE jobs SET status = 'completed', completed_at = now() WHERE id = '{JOB}'")
    async with api.get(f"{PREFIX}/job/{JOB}/events") as answer:
        text = (await answer.read()).decode().replace("\r\n", "\n")

    blocks = [block for block in text.split("\n\n") if block]
    assert len(blocks) == 2
    assert all("\ndata: " in block for block in blocks)
