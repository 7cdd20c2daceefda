"""Migrations: up, down and up again; as the models are; by many at once; killed half-way."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from service.storage import migrate
from service.storage.engine import asyncpg_url, create_engine
from service.storage.tables import metadata

ROOT = Path(__file__).parents[2]
NAME = "migrated"
THINGS = (
    "SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relname NOT LIKE 'alembic_version%'"
    " UNION ALL SELECT 'function ' || proname FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace"
    " UNION ALL SELECT 'type ' || typname FROM pg_type"
    " WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' ORDER BY 1"
)
UPGRADE = """
import asyncio, sys
from service.storage import migrate
from service.storage.engine import create_engine
async def main():
    engine = create_engine(sys.argv[1], name="migrator", pool_size=1)
    await migrate.upgrade(engine)
    await engine.dispose()
asyncio.run(main())
"""


@pytest.fixture
async def empty_url(postgres: str) -> AsyncIterator[str]:
    """URL of an empty database of its own."""
    admin = create_async_engine(asyncpg_url(postgres))  # no timeouts: a busy disk takes its time
    drop = f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"
    await alone(admin, drop, f"CREATE DATABASE {NAME}")
    yield make_url(postgres).set(database=NAME).render_as_string(hide_password=False)
    await alone(admin, drop)
    await admin.dispose()


async def alone(engine: AsyncEngine, *statements: str) -> None:
    """Run statements that PostgreSQL allows in no transaction."""
    async with engine.connect() as conn:
        outside = await conn.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await outside.exec_driver_sql(statement)


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(empty_url, name="tests migrations", pool_size=3)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine, statement: str) -> list:
    async with engine.connect() as conn:
        return list((await conn.exec_driver_sql(statement)).scalars())


@contextmanager
def migrators(url: str, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that upgrade the database."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, url],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(number)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


async def ended(process: subprocess.Popen[bytes], seconds: float = 40) -> int:
    return await asyncio.to_thread(process.wait, seconds)


def revisions() -> list[Script]:
    """All revisions, the first one first."""
    return list(ScriptDirectory(str(migrate.SCRIPTS)).walk_revisions())[::-1]


@pytest.mark.parametrize("revision", revisions(), ids=lambda script: script.revision)
async def test_every_revision_goes_up_down_and_up_again(empty, revision):
    below = revision.down_revision or "base"
    await migrate.upgrade(empty, revision.revision)
    first = await rows(empty, THINGS)

    await migrate.downgrade(empty, below)
    await migrate.upgrade(empty, revision.revision)

    assert await rows(empty, THINGS) == first


async def test_the_way_down_leaves_nothing_behind(empty):
    await migrate.upgrade(empty)

    await migrate.downgrade(empty, "base")

    assert await rows(empty, THINGS) == []


async def test_models_and_migrations_agree(empty):
    await migrate.upgrade(empty)

    await migrate.check(empty)


async def test_checks_and_indexes_are_those_of_the_models(empty):
    """Alembic does not compare them: names and texts of the rules, as PostgreSQL prints them."""
    statement = (
        "SELECT conname || ': ' || pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = conrelid WHERE t.relnamespace = 'public'::regnamespace"
        " AND relname NOT LIKE 'pgqueuer%' AND contype = 'c' ORDER BY 1"
    )
    indexes = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename NOT LIKE 'pgqueuer%' AND tablename <> 'alembic_version' ORDER BY 1"
    )
    await migrate.upgrade(empty)
    migrated = await rows(empty, statement), await rows(empty, indexes)

    async with empty.begin() as conn:
        await conn.exec_driver_sql(
            "DROP TABLE upstream_pace, schedules, callers, job_errors, job_papers, paper_texts,"
            " papers, jobs CASCADE"
        )
        await conn.run_sync(metadata.create_all)

    assert (await rows(empty, statement), await rows(empty, indexes)) == migrated


async def test_upgrading_twice_changes_nothing(empty):
    await migrate.upgrade(empty)
    first = await rows(empty, THINGS)

    await migrate.upgrade(empty)

    assert await rows(empty, THINGS) == first
    assert await migrate.is_current(empty)


async def test_an_empty_database_is_not_current(empty):
    assert not await migrate.is_current(empty)


async def test_data_of_the_lanes_is_there_from_the_start(empty):
    await migrate.upgrade(empty)

    assert await rows(empty, "SELECT lane FROM upstream_pace ORDER BY 1") == ["api", "pdf"]


async def test_three_that_start_at_once_migrate_once(empty, empty_url):
    with migrators(empty_url, 3) as processes:
        codes = await asyncio.gather(*(ended(process) for process in processes))

    assert codes == [0, 0, 0]
    assert await rows(empty, "SELECT version_num FROM alembic_version") == [migrate.head_revision()]
    assert await rows(empty, "SELECT lane FROM upstream_pace ORDER BY 1") == ["api", "pdf"]


async def test_a_migrator_that_is_killed_half_way_leaves_nothing_half(empty, empty_url):
    """It is held before its last statements by a lock on what they need."""
    async with empty.connect() as holder:
        await holder.exec_driver_sql("CREATE TABLE jobs_wait (id integer)")
        await holder.exec_driver_sql(HOLD_FUNCTION)
        await holder.exec_driver_sql(HOLD_TRIGGER)
        await holder.commit()
        await holder.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        await holder.exec_driver_sql("LOCK TABLE jobs_wait IN ACCESS EXCLUSIVE MODE")

        with migrators(empty_url, 1) as (process,):
            await _waiting(empty)
            process.send_signal(signal.SIGKILL)
            await ended(process)
    await _gone(empty)
    async with empty.begin() as conn:
        await conn.exec_driver_sql("DROP EVENT TRIGGER hold")
        await conn.exec_driver_sql("DROP FUNCTION hold")
        await conn.exec_driver_sql("DROP TABLE jobs_wait")
    left = await rows(empty, THINGS)

    await migrate.upgrade(empty)

    assert left == []
    assert await migrate.is_current(empty)


# Creating the first view waits for the lock that the test holds.
HOLD_FUNCTION = """
    CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM 1 FROM jobs_wait; END $$
"""
HOLD_TRIGGER = """
    CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE VIEW')
    EXECUTE FUNCTION hold()
"""
WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrator'"
    " AND wait_event_type = 'Lock' AND datname = current_database()"
)
THERE = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrator'"
    " AND datname = current_database()"
)


async def _waiting(engine: AsyncEngine) -> None:
    async with asyncio.timeout(20):
        while not await rows(engine, WAITING):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _gone(engine: AsyncEngine) -> None:
    async with asyncio.timeout(20):
        while await rows(engine, THERE):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
