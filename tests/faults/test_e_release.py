"""Group E of the fault list: replicas of the next release, on the schema of this one."""

import asyncio
import shutil
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from service.db import migrate, revision
from tests.faults.processes import until_ready
from tests.jobs.conftest import kill
from tests.migrations.conftest import rows

ROOT = Path(__file__).parents[2]
MIGRATION = """
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade():
    op.execute("ALTER TABLE jobs ADD COLUMN of_the_next_release integer")
    op.execute("SELECT pg_sleep(1)")
"""
REVISION = "SELECT version_num FROM alembic_version"
COLUMN = "SELECT 1 FROM pg_attribute WHERE attname = 'of_the_next_release'"
MIGRATING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
)


@pytest.fixture
async def old(empty):
    """A database of this release, with a job in it."""
    await migrate.upgrade(empty)
    async with empty.begin() as conn:
        await conn.exec_driver_sql("INSERT INTO jobs (status) VALUES ('cancelled')")
    return empty


@pytest.fixture
def release(tmp_path) -> Path:
    """The program as it may be next: one migration more."""
    folder = tmp_path / "release"
    for part in ("service", "migrations"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "migrations" / "versions" / "next.py"
    script.write_text(MIGRATION.format(head=revision.head_revision()))
    return folder


@asynccontextmanager
async def serving(rig, release, url, port):
    """A replica of the next release, for the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "serve"),
        cwd=release,
        env=rig.environment(DATABASE_URL=url, PORT=str(port)),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await kill(process)


async def test_case_74_three_that_start_at_once_on_an_old_schema_migrate_it_once(
    rig, tools, old, empty_url, release
):
    ports = [tools.free_port() for _ in range(3)]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        for port in ports:
            await stack.enter_async_context(serving(rig, release, empty_url, port))
        for port in ports:
            await until_ready(client, f"http://127.0.0.1:{port}")

    assert await rows(old, REVISION) == ["next"]
    assert await rows(old, COLUMN) == [1]
    assert await rows(old, "SELECT status::text FROM jobs") == ["cancelled"]


async def test_case_74_a_migration_of_an_old_schema_that_is_killed_is_finished_by_the_next_start(
    rig, tools, old, empty_url, release
):
    port = tools.free_port()
    async with serving(rig, release, empty_url, port) as process, asyncio.timeout(60):
        while not await rows(old, MIGRATING):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        await kill(process)
        while await rows(old, MIGRATING):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    between = await rows(old, REVISION), await rows(old, COLUMN)

    async with serving(rig, release, empty_url, port), aiohttp.ClientSession() as client:
        await until_ready(client, f"http://127.0.0.1:{port}")

    assert between == ([revision.head_revision()], [])
    assert await rows(old, REVISION) == ["next"]
