"""Manners of the protocol: methods, paths, headers, broken requests."""

import asyncio
import json

import pytest
from aiohttp import web

from service.api.server import Runner
from service.auth.tokens import TokenRules
from service.process.build_api import build_api

RULES = TokenRules(key="a secret of the tests, longer than 32 bytes", algorithm="HS256")

JOB = "/api/v1/ingestion/job/123e4567-e89b-12d3-a456-426614174000"


async def raw(port: int, request: bytes) -> bytes:
    """All bytes that come back for `request`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def port(api_database, store):
    """Where the application listens as the service itself runs it."""
    runner = Runner(build_api(RULES, api_database, store))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


BROKEN = [
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"a" * 9000 + b"\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", BROKEN, ids=["header", "token", "path", "method", "TLS"])
async def test_what_is_no_http_is_refused_without_naming_versions(port, request_bytes):
    answer = await raw(port, request_bytes)

    assert answer.startswith(b"HTTP/1.")
    assert answer.split(b" ", 2)[1] in (b"400", b"401", b"431", b"414", b"405")
    assert b"aiohttp/" not in answer
    assert b"Python/" not in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize("request_bytes", BROKEN, ids=["header", "token", "path", "method", "TLS"])
async def test_what_is_no_http_is_a_problem_too(port, request_bytes):
    answer = await raw(port, request_bytes)

    assert b"application/problem+json" in answer


@pytest.mark.parametrize("request_bytes", [BROKEN[0], BROKEN[2]], ids=["header", "path"])
async def test_what_is_too_long_to_be_read_is_told_so(port, request_bytes):
    answer = await raw(port, request_bytes)

    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (400, "malformed_request")
    assert problem["detail"] == (
        "The request line or one of the headers is longer than 8,190 bytes"
    )


async def test_a_broken_chunk_is_malformed(api):
    token = api.session.headers["Authorization"].encode()
    head = (
        b"POST /api/v1/ingestion/arxiv HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nAuthorization: " + token + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    answer = await raw(api.server.port, head + b"ZZ\r\n{}\r\n0\r\n\r\n")

    assert answer.split(b" ", 2)[1] == b"400"


async def test_answers_are_not_to_be_guessed_at(api):
    for path in ("/healthz", "/nothing", "/api/v1/ingestion/jobs"):
        response = await api.get(path)

        assert response.headers["X-Content-Type-Options"] == "nosniff"
