"""The whole application over HTTP, on a real database and a real folder of PDFs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import make_url

from service.api.access_log import AccessLog
from service.api.job_watch import WatchLimits
from service.api.middlewares.rate_limit import Bounds
from service.api.server import Runner
from service.auth import blocklist
from service.auth.tokens import TokenRules
from service.db.engine import Database
from service.domain.webhooks import WebhookSettings
from service.files.local import LocalStore
from service.process.build_api import API_DEADLINE_SECONDS, build_api
from tests.conftest import OpenDatabase

RULES = TokenRules(key="a secret of the tests, longer than 32 bytes", algorithm="HS256")
PREFIX = "/api/v1/ingestion"
GOOD_BODY = {"search_query": {"category": "cs.AI"}}
JOB = "123e4567-e89b-12d3-a456-426614174000"
STATUS = f"{PREFIX}/job/{JOB}"


def token(*, key: str = RULES.key, algorithm: str = "HS256", **claims: Any) -> str:
    """A token that is good unless `claims` (None: leave it out) make it bad."""
    known = {"sub": "alice", "exp": int(time()) + 600, **claims}
    wanted = {name: value for name, value in known.items() if value is not None}
    return jwt.encode(wanted, key, algorithm=algorithm)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def is_problem(response: Any, document: dict[str, Any]) -> bool:
    """Whether an answer is a problem as RFC 9457 has it, agreeing with its status line."""
    return (
        response.content_type == "application/problem+json"
        and {"type", "title", "status", "detail", "code", "request_id"} <= document.keys()
        and document["type"] == f"/problems/{document['code']}"
        and document["request_id"] == response.headers["X-Request-ID"]
        and document["status"] == response.status
    )


Sql = Callable[..., Awaitable[list[Any]]]
Serve = Callable[..., Awaitable[TestClient]]


class OurServer(TestServer):
    """A server of the tests that serves as a process does."""

    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, access_log_class=AccessLog, **options)


@pytest.fixture
async def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "files", max_bytes=1_000_000)
    await store.prepare()
    return store


@pytest.fixture
def api_database(database: Database, database_url: str, open_database: OpenDatabase) -> Database:
    """The pool of an API process, on the empty database."""
    return open_database(database_url, name="tests api", deadline_seconds=API_DEADLINE_SECONDS)


@pytest.fixture
async def serve(
    api_database: Database, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Serve]:
    """Start an application; requests carry a token of `sub` unless that is None.

    Applications end before the pools that they use, as in a process.
    """
    clients: list[TestClient] = []
    # a busy machine may take longer to say who is blocked, before which nobody is let in
    monkeypatch.setattr(blocklist, "START_PATIENCE", timedelta(seconds=30))

    async def serve(
        rules: TokenRules = RULES,
        *,
        sub: str | None = "alice",
        database: Database | None = None,
        store: LocalStore = store,
        bounds: Bounds | None = None,
        wait_limits: WatchLimits | None = None,
        webhooks: WebhookSettings | None = None,
    ) -> TestClient:
        app = build_api(
            rules,
            database or api_database,
            store,
            bounds,
            wait_limits=wait_limits,
            webhooks=webhooks,
        )
        headers = {} if sub is None else bearer(token(sub=sub))
        clients.append(TestClient(OurServer(app), headers=headers))
        await clients[-1].start_server()
        return clients[-1]

    yield serve
    for client in clients:
        await client.close()


@pytest.fixture
async def api(serve: Serve) -> TestClient:
    return await serve()


@pytest.fixture
async def job(sql: Sql) -> None:
    """A running job with the id `JOB`."""
    await sql(f"INSERT INTO jobs (id, status, started_at) VALUES ('{JOB}', 'running', now())")


@dataclass
class Link:
    """A TCP way to PostgreSQL that can be frozen or cut, as a network can."""

    url: str
    open: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    lost: set[asyncio.StreamWriter] = field(default_factory=set)
    cuts_at_commit: bool | None = None  # whether the COMMIT still arrives; None: no cut
    cuts_after: bytes = b""
    was_cut: asyncio.Event = field(default_factory=asyncio.Event)

    def cut_at_commit(self, *, arrives: bool, after: bytes = b"") -> None:
        """The connection that commits next is lost, its COMMIT delivered or not.

        With `after` it is the next one on which that part of a statement was sent before.
        """
        self.cuts_at_commit, self.cuts_after = arrives, after

    def mend(self) -> None:
        self.cuts_at_commit = None

    def freeze(self) -> None:
        """Nothing comes through any more; no connection is closed."""
        self.open.clear()

    def thaw(self) -> None:
        self.open.set()

    def lose(self) -> None:
        """The connections that there are carry nothing any more, and never will; new ones do."""
        self.lost |= self.writers

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        was_sent = False
        try:
            while data := await reader.read(65536):
                await self.open.wait()
                if writer in self.lost:
                    continue
                was_sent = was_sent or self.cuts_after in data
                if self.cuts_at_commit is not None and was_sent and b"COMMIT;" in data:
                    await self.cut(writer, data)
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def cut(self, upstream: asyncio.StreamWriter, data: bytes) -> None:
        """Deliver a last piece, if wanted, and close so that the other side never hears of it."""
        for writer in self.writers - {upstream}:
            writer.transport.abort()
        self.was_cut.set()
        if self.cuts_at_commit:
            upstream.write(data)
            await upstream.drain()


async def _connect_upstream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parsed = make_url(url)
    folder = parsed.query.get("host")
    if isinstance(folder, str) and folder.startswith("/"):
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{parsed.port or 5432}")
    return await asyncio.open_connection(parsed.host or "127.0.0.1", parsed.port or 5432)


@asynccontextmanager
async def running_link(upstream: str) -> AsyncIterator[Link]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await _connect_upstream(upstream)
        link.writers |= {writer, there_writer}
        async with asyncio.TaskGroup() as group:
            group.create_task(link.pump(reader, there_writer))
            group.create_task(link.pump(there_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    plain = make_url(upstream).set(host="127.0.0.1", port=port, query={})
    link = Link(plain.render_as_string(hide_password=False))
    link.thaw()
    try:
        yield link
    finally:
        link.thaw()
        server.close()
        for writer in link.writers:
            writer.transport.abort()
        await server.wait_closed()


@pytest.fixture
async def link(database: Database, database_url: str) -> AsyncIterator[Link]:
    """A way to the database that the test can freeze."""
    async with running_link(database_url) as link:
        yield link
