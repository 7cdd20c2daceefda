"""Group A of the fault list, 15 and 16, and what a log must never hold: on a process of its own."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import make_url

from tests.api.conftest import GOOD_BODY, PREFIX, RULES, bearer, is_problem, token
from tests.cli.conftest import clean_environ, fetch, free_port, run_command, started, wait_for
from tests.faults.processes import ended, until_ready

DSN_PASSWORD = "hunter2-of-the-database"
FLOOD = 2000
BUSY = {"event loop late"}  # what a process may log besides, where others use the processor
SENDERS = 8


def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


CASE_15 = {
    "unset": {},
    "empty": {"JWT_SECRET": ""},
    "short": {"JWT_SECRET": "hunter2-hunter2-hunter2-hunter2"},
    "a PEM": {"JWT_SECRET": pem()},
    "a PEM with HS256": {"JWT_PUBLIC_KEY": pem()},
    "short, beside a good one": {"JWT_SECRET": "s" * 32, "JWT_OTHER_SECRETS": "hunter2"},
}
NAMED = {"a PEM with HS256": "JWT_ALGORITHM", "short, beside a good one": "JWT_OTHER_SECRETS"}


@pytest.mark.parametrize("case", CASE_15)
def test_case_15_no_start_with_a_wrong_key(tmp_path, case):
    environ = clean_environ(
        DATABASE_URL=f"postgresql://u:{DSN_PASSWORD}@127.0.0.1:9/d",
        DATA_DIR=tmp_path,
        PORT=0,
        **CASE_15[case],
    )

    done = run_command("serve", "--no-worker", environ=environ)

    assert done.returncode not in (0, -9)
    assert NAMED.get(case, "JWT_SECRET") in done.stderr
    shown = done.stdout + done.stderr
    values = [*CASE_15[case].values(), DSN_PASSWORD, "hunter2", "BEGIN PUBLIC"]
    assert [value for value in values if value and value in shown] == []


@dataclass
class Server:
    """A serving process, and the file that it logs to."""

    url: str
    log: Path


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    url = make_url(database_url)
    dsn = url.set(password=url.password or DSN_PASSWORD).render_as_string(hide_password=False)
    server = Server(f"http://127.0.0.1:{free_port()}", folder / "log")
    environ = clean_environ(
        DATABASE_URL=dsn,
        DATA_DIR=folder,
        PORT=server.url.rpartition(":")[2],
        JWT_SECRET=RULES.key,
        LOG_LEVEL="DEBUG",
    )
    with (
        server.log.open("w") as log,
        started("serve", "--no-worker", environ=environ, stdout=log, stderr=log),
    ):
        wait_for(lambda: _is_ready(server.url), seconds=60, what="readiness")
        yield server


def _is_ready(url: str) -> bool:
    try:
        return bool(fetch(f"{url}/readyz")[0] == 200)
    except OSError:
        return False


async def test_case_16_a_flood_of_bad_tokens_harms_nobody(server, database):
    forged = [token(key="another secret of more than 32 bytes!!", jti=str(n)) for n in range(FLOOD)]
    before = server.log.stat().st_size
    good = bearer(token())

    async with aiohttp.ClientSession(server.url) as http, asyncio.timeout(100):

        async def status(headers: dict[str, str]) -> int:
            async with http.get(f"{PREFIX}/jobs", headers=headers) as response:
                return response.status

        async def send(mine: list[str]) -> set[int]:
            return {await status(bearer(text)) for text in mine}

        floods = [asyncio.create_task(send(forged[n::SENDERS])) for n in range(SENDERS)]
        valid = []
        while not all(flood.done() for flood in floods):
            valid.append(await status(good))
        refused = set().union(*[flood.result() for flood in floods])

    # A line is written by a thread, after the answer that it tells of.
    wait_for(
        lambda: len(_refusals(_written(server, before))) >= FLOOD, seconds=60, what="all lines"
    )
    lines = _written(server, before)
    failures = _refusals(lines)
    assert refused == {401}
    assert set(valid) == {200}
    assert len(valid) > 10
    assert {line["event"] for line, _ in lines} == {"request answered"}
    assert len(failures) == FLOOD
    assert max(failures) <= 700


def _written(server: Server, since: int) -> list[tuple[dict[str, Any], int]]:
    """The lines after the byte `since` that are whole, but BUSY ones, each with its bytes."""
    with server.log.open("rb") as log:
        log.seek(since)
        whole = [line for line in log.read().splitlines(keepends=True) if line.endswith(b"\n")]
    read = [(json.loads(line), len(line)) for line in whole]
    return [(line, size) for line, size in read if line["event"] not in BUSY]


def _refusals(lines: list[tuple[dict[str, Any], int]]) -> list[int]:
    """How long each line of a request answered 401 is, in bytes."""
    return [size for line, size in lines if line["status"] == 401]


async def test_nothing_secret_is_in_logs_answers_or_rows(server, database, sql):
    """Invariant I8, with every logger at DEBUG: no token, no secret, no password."""
    good = token()
    claims = {"sub": "alice", "exp": int(time()) + 600}
    tokens = {
        "good": good,
        "forged": token(key="another secret of more than 32 bytes!!"),
        "expired": token(exp=int(time()) - 3600),
        "unsigned": jwt.encode(claims, None, algorithm="none"),
        "garbage": "c2VjcmV0LWdhcmJhZ2U.c2VjcmV0LWdhcmJhZ2U.c2VjcmV0LWdhcmJhZ2U",
    }

    before = server.log.stat().st_size

    async with aiohttp.ClientSession(server.url) as http:
        answers = [answer for text in tokens.values() for answer in await _used(http, good, text)]

    wait_for(lambda: len(_written(server, before)) >= len(answers), seconds=60, what="all lines")
    rows = await sql("SELECT row_to_json(j)::text FROM jobs j")
    seen = "\n".join([server.log.read_text(), *answers, *(row[0] for row in rows)])
    parts = {part for text in tokens.values() for part in text.split(".")[1:] if part}
    assert len(rows) == 1
    assert len(answers) == 8 * len(tokens)
    assert [part for part in parts if part in seen] == []
    assert RULES.key not in seen
    assert DSN_PASSWORD not in seen


async def _used(http: aiohttp.ClientSession, good: str, text: str) -> list[str]:
    """Bodies of all answers to `text` where a token belongs, and where it does not."""
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"{PREFIX}/jobs", {"headers": bearer(text)}),
        ("GET", f"{PREFIX}/jobs?access_token={text}", {}),
        ("GET", f"{PREFIX}/jobs?token={text}", {"headers": bearer(good)}),
        ("POST", f"{PREFIX}/arxiv", {"headers": bearer(good), "json": {"token": text}}),
        ("POST", f"{PREFIX}/arxiv", {"headers": bearer(good), "data": text}),
        ("POST", f"{PREFIX}/arxiv", {"headers": bearer(text), "json": {"search_query": text}}),
        ("GET", f"{PREFIX}/jobs", {"headers": {"Authorization": f"Basic {text}"}}),
        ("POST", f"{PREFIX}/arxiv", {"headers": _keyed(good), "json": GOOD_BODY}),
    ]
    answers = []
    for method, path, more in asked:
        async with http.request(method, path, **more) as response:
            body = await response.text()
            assert response.status < 300 or is_problem(response, json.loads(body))
            answers.append(f"{response.reason} {dict(response.headers)} {body}")
    return answers


def _keyed(text: str) -> dict[str, str]:
    return {**bearer(text), "Idempotency-Key": "once"}


# An error that time does not mend, as a right that was taken away would be.
BROKEN_LIST = (
    "ALTER TABLE callers RENAME TO callers_away",
    "CREATE VIEW callers AS SELECT ''::text AS sub, 1 / (0 * random())::int = 1 AS is_blocked",
)


async def test_a_process_that_cannot_see_any_more_who_is_blocked_ends(rig, tools, empty, empty_url):
    port = tools.free_port()
    api = rig.process("serve", "--no-worker", DATABASE_URL=empty_url, PORT=str(port))
    async with api as process, aiohttp.ClientSession() as client:
        await until_ready(client, f"http://127.0.0.1:{port}")

        async with empty.begin() as conn:
            for statement in BROKEN_LIST:
                await conn.exec_driver_sql(statement)
        code = await ended(process)

    assert code == 1
    assert "DivisionByZeroError" in (rig.folder / "serve.log").read_text()
