"""A PostgreSQL that may be stopped, frozen and filled, and what callers must see meanwhile."""

import asyncio
import re
import time
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import psutil
import pytest
from sqlalchemy import make_url, text

from service.db import migrate
from service.db.addresses import libpq_url
from service.db.engine import Database, create_engine
from service.devtools.embedded_postgres import EmbeddedPostgres
from tests.conftest import RESET_PACE, TRUNCATE
from tests.faults.processes import answered, headers, status_of
from tests.jobs.conftest import Rig


@pytest.fixture(scope="session")
def own_server(tmp_path_factory):
    """A PostgreSQL apart from that of the other tests, which may be stopped."""
    server = EmbeddedPostgres.under(tmp_path_factory.mktemp("faults"))
    server.start()
    asyncio.run(migrated(server.url))
    yield server
    server.start()  # whatever a test has left, and in a state that `stop` knows
    server.stop()


async def migrated(url):
    engine = create_engine(url, name="tests", pool_size=1)
    await migrate.upgrade(engine)
    await engine.dispose()


@pytest.fixture
async def own(own_server, replica, tmp_path):
    """A rig on the server that may be stopped."""
    engine = create_engine(own_server.url, name="tests own")
    folder = tmp_path / "data"
    folder.mkdir()
    url = own_server.url
    yield Rig(Database(engine, deadline_seconds=20), url, url, replica, folder)
    async with engine.begin() as conn:
        await conn.execute(text(TRUNCATE))
        await conn.execute(text(RESET_PACE))
    await engine.dispose()


def postmaster(server):
    return int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])


class Refusals:
    """What the server has refused since now, from its log."""

    def __init__(self, server):
        self._log = server.folder / "data" / "server.log"
        self._before = self._log.stat().st_size

    async def include(self, message, seconds=20):
        """Return once a statement of a worker was refused with `message`: no new job's, that is."""
        statement = r"(?:(?!LOG:|ERROR:).)*STATEMENT:  (?!INSERT INTO jobs)"
        wanted = re.compile(f"ERROR:  {message}{statement}", re.DOTALL)
        async with asyncio.timeout(seconds):
            while not wanted.search(self._log.read_text()[self._before :]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@contextmanager
def frozen(server):
    """The server and its backends stand still for the block (SIGSTOP)."""
    parent = psutil.Process(postmaster(server))
    everybody = [parent, *parent.children(recursive=True)]
    for process in everybody:
        process.suspend()
    try:
        yield
    finally:
        for process in everybody:
            process.resume()


async def command(rig, *statements):
    """Run statements as the owner, each by itself, as some must be."""
    connection = await asyncpg.connect(libpq_url(rig.direct))
    try:
        await connection.execute("SET default_transaction_read_only = off")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


ENDED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name LIKE 'arxiv-ingestion%'"
)
RELOAD = "SELECT pg_reload_conf()"
ROLE, PASSWORD = "ingestion", "hunter2 of the tests"
PROBLEM = "application/problem+json"
AWAY = {"GET": "/api/v1/ingestion/jobs", "POST": "/api/v1/ingestion/arxiv"}
BODY = {"search_query": {"category": "cs.AI"}}


async def refused_in_time(client, url, job_id):
    """Each kind of request is answered as documented, within three seconds and a busy machine's."""
    status = f"/api/v1/ingestion/job/{job_id}"
    wanted = [("GET", status, 500), ("GET", AWAY["GET"], 503), ("POST", AWAY["POST"], 503)]
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        for method, path, code in wanted:
            group.create_task(refused(client, method, url + path, code))
    assert await answered(client, f"{url}/healthz") == 200


async def refused(client, method, url, code):
    """One request is answered with `code`, as a problem, and told when to come again."""
    body = BODY if method == "POST" else None
    async with client.request(method, url, headers=headers(), json=body) as response:
        assert (response.status, response.content_type) == (code, PROBLEM)
        assert int(response.headers["Retry-After"]) > 0


async def back(client, url, job_id, seconds=60):
    """Return once the status is answered again: five seconds, and a busy machine's."""
    path = f"{url}/api/v1/ingestion/job/{job_id}"
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while await status_of(client.get(path, headers=headers())) != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    print(f"first answer {time.monotonic() - begun:.2f} s after the database was back")


@asynccontextmanager
async def login_by_password(rig, server):
    """The server asks one role for a password; yields the URL that has it."""
    rules = server.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all {ROLE} scram-sha-256\n{before}")
    await command(rig, f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD '{PASSWORD}'", RELOAD)
    login = make_url(rig.url).set(username=ROLE, password=PASSWORD)
    try:
        yield login.render_as_string(hide_password=False)
    finally:
        rules.write_text(before)
        await command(rig, RELOAD, f"DROP ROLE {ROLE}")
