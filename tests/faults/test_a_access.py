"""Group A of the fault list, 11 to 14: where tokens are found, whose they are, what they allow."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from time import time
from typing import Any

import jwt
import pytest
import structlog
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import ec

from service.api.access_log import AccessLog
from service.api.server import Runner
from service.auth.tokens import TokenRules
from service.process.build_api import build_api
from tests.api.conftest import GOOD_BODY, PREFIX, RULES, bearer, is_problem, token
from tests.api.test_jwks import as_jwk

JOBS = f"{PREFIX}/jobs"
SUBMIT = f"{PREFIX}/arxiv"
JOB = f"{PREFIX}/job/123e4567-e89b-12d3-a456-426614174000"
SCOPED = dataclasses.replace(RULES, write_scope="ingest")
OLD_SECRET = "the secret of last year, longer than 32 bytes"
ROTATING = dataclasses.replace(RULES, other_keys=(OLD_SECRET,), key_ids=("new", "old"))
OLD, NEW = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


@pytest.fixture
async def base(api_database, store) -> AsyncIterator[str]:
    """URL of the application behind the server and the access log that the service uses."""
    runner = Runner(build_api(RULES, api_database, store), access_log_class=AccessLog)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


class Sentinel:
    """A server that must never be contacted."""

    def __init__(self) -> None:
        self.url = ""
        self.contacts = 0

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.contacts += 1
        writer.close()


@pytest.fixture
async def sentinel() -> AsyncIterator[Sentinel]:
    sentinel = Sentinel()
    server = await asyncio.start_server(sentinel.answer, "127.0.0.1", 0)
    sentinel.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    yield sentinel
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("name", ["access_token", "token", "jwt"])
async def test_case_11_a_token_in_the_url_is_none_and_is_not_logged(base, http, name):
    text = token()

    with structlog.testing.capture_logs() as lines:
        async with http.get(f"{base}{JOBS}?{name}={text}") as response:
            assert response.status == 401
        async with http.get(f"{base}/healthz") as response:  # behind the line of the one before
            assert response.status == 200

    assert ("request answered", JOBS) in [(line["event"], line.get("route")) for line in lines]
    assert not any(part in json.dumps(lines) for part in text.split("."))


async def test_case_12_options_does_nothing_on_any_route(serve, sql):
    anybody = await serve(sub=None)
    paths = {
        str(route.resource.url_for(**dict.fromkeys(_parameters(route.resource), "1")))
        for route in anybody.server.app.router.routes()
    }

    answers = {path: await anybody.options(path, json=GOOD_BODY) for path in paths}

    assert len(paths) >= 5
    assert {path: a.status for path, a in answers.items() if a.status not in (204, 401, 405)} == {}
    for answer in answers.values():
        assert is_problem(answer, await answer.json(content_type=None))
    assert await sql("SELECT * FROM jobs") == []


def _parameters(resource: Any) -> list[str]:
    info = resource.get_info()
    return list(info["pattern"].groupindex) if "pattern" in info else []


CASE_13 = [
    "not-ingest",
    {"ingest": False},
    [["ingest"]],
    None,
    "",
    True,
    1,
    ["ingest", 1],
    "ingest,x",
]


@pytest.mark.parametrize("scope", CASE_13, ids=str)
async def test_case_13_without_the_scope_nothing_is_written(serve, sql, scope):
    api = await serve(SCOPED, sub=None)
    claims = {"sub": "alice", "exp": int(time()) + 60, "scope": scope}
    headers = bearer(jwt.encode(claims, RULES.key, algorithm="HS256"))

    created = await api.post(SUBMIT, json=GOOD_BODY, headers=headers)
    deleted = await api.delete(JOB, headers=headers)
    listed = await api.get(JOBS, headers=headers)

    assert (created.status, deleted.status, listed.status) == (403, 403, 200)
    assert is_problem(created, await created.json(content_type=None))
    assert await sql("SELECT * FROM jobs") == []


@pytest.mark.parametrize("scope", ["ingest", "read ingest", "ingest read", ["read", "ingest"]])
async def test_case_13_with_the_scope_it_is(serve, scope):
    api = await serve(SCOPED, sub=None)

    created = await api.post(SUBMIT, json=GOOD_BODY, headers=bearer(token(scope=scope)))

    assert created.status == 202


def named(kid: Any, key: str = RULES.key, **headers: Any) -> dict[str, str]:
    """The header of a token that names its key, and is well-signed by `key`."""
    claims = {"sub": "alice", "exp": int(time()) + 600}
    text = jwt.api_jws.encode(
        json.dumps(claims).encode(), key, algorithm="HS256", headers={"kid": kid, **headers}
    )
    return bearer(text)


async def test_case_14_rotation_by_kid(serve):
    api = await serve(ROTATING, sub=None)

    async def status(headers: dict[str, str]) -> int:
        return (await api.get(JOBS, headers=headers)).status

    assert await status(named("new")) == 200
    assert await status(named("old", OLD_SECRET)) == 200
    assert await status(bearer(token())) == 200
    assert await status(bearer(token(key=OLD_SECRET))) == 200
    assert await status(named("old")) == 401
    assert await status(named("new", OLD_SECRET)) == 401
    assert await status(bearer(token(key="a secret of nobody, longer than 32 bytes"))) == 401


CASE_14 = ["unknown", "../../key", "' OR 1=1--", "", "new\x00", "NEW", "k" * 5000]


@pytest.mark.parametrize("kid", CASE_14, ids=lambda kid: repr(kid)[:14])
@pytest.mark.parametrize("rules", [RULES, ROTATING], ids=["one secret", "named secrets"])
async def test_case_14_an_unknown_name_is_refused(serve, rules, kid):
    api = await serve(rules, sub=None)

    assert (await api.get(JOBS, headers=named(kid))).status == 401


async def test_case_14_rotation_by_kid_of_published_keys(serve, aiohttp_server):
    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": [as_jwk(OLD, kid="old"), as_jwk(NEW, kid="new")]})

    publisher = web.Application()
    publisher.router.add_get("/keys", keys)
    url = str((await aiohttp_server(publisher)).make_url("/keys"))
    api = await serve(TokenRules(key=None, algorithm="ES256", jwks_url=url), sub=None)

    async def status(key: Any, kid: str) -> int:
        claims = {"sub": "alice", "exp": int(time()) + 600}
        text = jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})
        return (await api.get(JOBS, headers=bearer(text))).status

    assert (await status(OLD, "old"), await status(NEW, "new")) == (200, 200)
    assert (await status(OLD, "unknown"), await status(OLD, "../../key")) == (401, 401)


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c"])
@pytest.mark.parametrize("key", [RULES.key, "another secret of more than 32 bytes!!"])
async def test_case_14_nothing_that_a_token_names_is_fetched(serve, sentinel, header, key):
    api = await serve(sub=None)
    value = {"jku": sentinel.url, "x5u": sentinel.url, "x5c": [sentinel.url]}
    headers = {header: value.get(header, {"kty": "oct", "k": "AAAA", "jku": sentinel.url})}
    text = jwt.encode(
        {"sub": "alice", "exp": int(time()) + 600}, key, algorithm="HS256", headers=headers
    )

    assert (await api.get(JOBS, headers=bearer(text))).status == 401
    assert sentinel.contacts == 0


@pytest.mark.parametrize("size", [10_000, 1_000_000], ids=["case_10 10 kB", "case_14 1 MB"])
@pytest.mark.parametrize("where", ["sub", "kid"])
async def test_case_14_a_token_that_is_too_long_is_refused(base, where, size):
    long = "a" * size
    headers = {"kid": long} if where == "kid" else None
    claims = {"sub": long if where == "sub" else "alice", "exp": int(time()) + 600}
    text = jwt.encode(claims, RULES.key, algorithm="HS256", headers=headers)
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    writer.write(f"GET {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {text}\r\n\r\n".encode())
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()

    assert head.split()[1] == "401"
    assert "\r\nWWW-Authenticate: Bearer\r\n" in head
    assert "\r\nContent-Type: application/problem+json\r\n" in head
