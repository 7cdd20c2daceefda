"""Probes: alive as long as the loop turns, ready only when everything needed is there."""

import asyncio
import shutil
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from service.api.handlers.health import READINESS
from service.auth.blocklist import Blocklist
from service.db import revision
from service.db.addresses import asyncpg_url
from service.db.engine import Database, create_engine
from service.db.workers import WorkerStore
from service.domain.errors import DatabaseUnavailable
from service.files.local import LocalStore


async def readiness(api):
    response = await api.get("/readyz")
    return response.status, (await response.json(content_type=None)).get("detail", "")


async def test_a_whole_service_is_alive_and_ready(api):
    alive = await api.get("/healthz")

    assert alive.status == 200
    assert await readiness(api) == (200, "")


@pytest.fixture
async def other_database(database_url):
    """An empty database beside ours: no schema of any revision."""
    admin = create_async_engine(asyncpg_url(database_url), isolation_level="AUTOCOMMIT")
    async with admin.connect() as conn:
        await conn.exec_driver_sql("CREATE DATABASE behind")
    url = make_url(database_url).set(database="behind").render_as_string(hide_password=False)
    engine = create_engine(url, name="tests behind")
    yield Database(engine, deadline_seconds=2.5)
    await engine.dispose()
    async with admin.connect() as conn:
        await conn.exec_driver_sql("DROP DATABASE IF EXISTS behind WITH (FORCE)")
    await admin.dispose()


async def test_a_schema_that_is_behind_is_not_ready(serve, other_database):
    api = await serve(database=other_database)

    status, detail = await readiness(api)

    assert (status, detail) == (503, "Not ready: schema")


async def test_requests_before_the_migration_are_told_to_come_again(serve, other_database):
    api = await serve(database=other_database)

    listed = await api.get("/api/v1/ingestion/jobs")
    posted = await api.post("/api/v1/ingestion/arxiv", json={"search_query": {"query": "x"}})

    assert (listed.status, posted.status) == (503, 503)
    assert "Retry-After" in listed.headers


async def test_a_database_that_was_not_made_yet_is_not_ready(serve, database_url, open_database):
    url = make_url(database_url).set(database="nowhere").render_as_string(hide_password=False)
    api = await serve(database=open_database(url, deadline_seconds=2.5))

    status, detail = await readiness(api)

    assert (status, detail) == (503, "Not ready: database")


async def test_what_does_not_keep_requests_away_is_a_warning(
    serve, database_url, open_database, sql
):
    api = await serve(database=open_database(database_url, deadline_seconds=5))
    api.app[READINESS].kept = timedelta(0)
    assert await warned(api) == {"no_worker"}

    async with api.app[READINESS].database.transaction() as conn:
        facts = {"host": "a", "pid": 1, "version": "1", "tasks": 0}
        await WorkerStore(conn).beat(uuid4(), lease=timedelta(seconds=100), **facts)
    assert await warned(api) == set()

    await sql("UPDATE workers SET heartbeat_at = now() - interval '201 s'")
    assert await warned(api) == {"no_worker"}


async def test_a_session_that_is_read_only_is_told_and_not_used_again(
    serve, database_url, open_database, monkeypatch
):
    database = open_database(database_url, deadline_seconds=5, pool_size=1)
    api = await serve(database=database)
    api.app[READINESS].kept = timedelta(0)
    async with database.transaction() as conn:
        await conn.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")

    assert "database_read_only" in await warned(api)
    assert "database_read_only" not in await warned(api)


async def warned(api):
    response = await api.get("/readyz")
    assert response.status == 200
    body = await response.json()
    assert all(warning["since"].endswith("Z") for warning in body["warnings"])
    return {warning["code"] for warning in body["warnings"]}


async def test_a_missing_storage_is_not_ready_and_heals(api, store, tmp_path):
    shutil.move(tmp_path / "files", tmp_path / "elsewhere")
    broken = await readiness(api)
    shutil.move(tmp_path / "elsewhere", tmp_path / "files")

    assert broken == (503, "Not ready: storage")
    async with asyncio.timeout(60):
        while await readiness(api) != (200, ""):  # noqa: ASYNC110 - a look is kept for a moment
            await asyncio.sleep(0.05)


async def test_all_that_is_missing_is_named(serve, tmp_path, store, open_database):
    api = await serve(database=open_database("postgresql://u:p@127.0.0.1:1/x", deadline_seconds=1))
    shutil.rmtree(tmp_path / "files")

    status, detail = await readiness(api)

    assert (status, detail) == (503, "Not ready: database, storage")


async def test_a_process_that_stops_is_not_ready_and_alive(api):
    api.app[READINESS].is_stopping = True

    assert await readiness(api) == (503, "Not ready: stopping")
    assert (await api.get("/healthz")).status == 200


async def test_many_who_ask_share_one_look_and_one_is_not_repeated_at_once(api, store, monkeypatch):
    looks = []
    look, may_end = store.check_writable, asyncio.Event()

    async def check_slowly():
        looks.append(None)
        await may_end.wait()
        await look()

    monkeypatch.setattr(LocalStore, "check_writable", lambda _: check_slowly())
    api.app[READINESS].kept = timedelta(days=1)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        asked = [group.create_task(readiness(api)) for _ in range(20)]
        while not looks:  # noqa: ASYNC110 - the requests are on their way
            await asyncio.sleep(0)
        may_end.set()
    last = await readiness(api)

    assert [one.result() for one in asked] == [(200, "")] * 20
    assert last == (200, "")
    assert len(looks) == 1


async def test_a_stop_shows_at_once_even_to_those_who_ask_already(api, monkeypatch):
    async def stop_meanwhile(_):
        api.app[READINESS].is_stopping = True

    monkeypatch.setattr(LocalStore, "check_writable", stop_meanwhile)

    assert await readiness(api) == (503, "Not ready: stopping")


async def test_the_migrations_are_read_once(api, monkeypatch):
    await readiness(api)
    monkeypatch.setattr(revision, "SCRIPTS", "nowhere")
    api.app[READINESS].kept = timedelta()

    assert await readiness(api) == (200, "")


async def test_it_is_not_ready_before_it_is_known_who_is_blocked(serve, monkeypatch):
    monkeypatch.setattr(Blocklist, "look", cannot_look)
    api = await serve()

    assert await readiness(api) == (503, "Not ready: callers")


async def cannot_look(_, *, within=None):
    raise DatabaseUnavailable("the database is not available")


async def test_probes_tell_nothing_about_us(api):
    alive = await (await api.get("/healthz")).json()
    ready = await (await api.get("/readyz")).json()

    assert alive == {"status": "alive"}
    assert ready.keys() == {"status", "warnings"}
    assert all(warning.keys() == {"code", "since"} for warning in ready["warnings"])
