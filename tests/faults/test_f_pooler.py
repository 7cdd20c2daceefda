"""Behind a pooler in transaction mode: case 85."""

import asyncio
from dataclasses import replace

import pytest

from service.db.engine import Database, create_engine
from service.domain.errors import DatabaseUnavailable
from service.domain.jobs import JobStatus
from tests.api.conftest import running_link
from tests.api.waiters import begun
from tests.pooler import SILENT, needs_pgbouncer, pgbouncer


@needs_pgbouncer
@pytest.mark.parametrize("options", ["", SILENT], ids=["refuses settings", "drops settings"])
async def test_case_85_a_whole_job_through_a_pooler(rig, options):
    with pgbouncer(rig.direct, options) as url:
        engine = create_engine(url, name="tests pooled")
        pooled = replace(rig, database=Database(engine, deadline_seconds=20), url=url)
        job_id = await pooled.submit()

        async with rig.process("serve", DATABASE_URL=url), rig.process("worker", DATABASE_URL=url):
            job = await rig.final(job_id)
        await engine.dispose()

    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_processed == 10
    await rig.assert_sound()
    logs = (rig.folder / "serve.log").read_text() + (rig.folder / "worker.log").read_text()
    assert "PreparedStatement" not in logs
    assert "unexpectedly" not in logs


@needs_pgbouncer
@pytest.mark.parametrize("options", ["", SILENT], ids=["refuses settings", "drops settings"])
async def test_case_85_timeouts_hold_behind_a_pooler(rig, options):
    with pgbouncer(rig.direct, options) as url:
        engine = create_engine(url, name="tests pooled")
        database = Database(engine, deadline_seconds=20)
        for opened in (database.transaction, database.reading):
            async with opened() as conn:
                shown = await conn.exec_driver_sql(
                    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
                    " current_setting('idle_in_transaction_session_timeout')"
                )
                assert tuple(shown.one()) == ("30s", "10s", "5s")
        await engine.dispose()


@needs_pgbouncer
async def test_case_85_those_who_wait_are_served_through_a_pooler(serve, rig, sql):
    job = "123e4567-e89b-12d3-a456-426614174000"
    url = f"/api/v1/ingestion/job/{job}"
    await sql(f"INSERT INTO jobs (id, status) VALUES ('{job}', 'running')")
    with pgbouncer(rig.direct) as pooler:
        engine = create_engine(pooler, name="tests pooled")
        api = await serve(database=Database(engine, deadline_seconds=5))
        async with api.get(f"{url}/events") as stream:
            asked = asyncio.create_task(api.get(url, headers={"Prefer": "wait=50"}))
            await begun(api, 2)

            await sql("UPDATE jobs SET status = 'cancelled'")

            assert (await (await asked).json())["status"] == "cancelled"
            assert "cancelled" in await stream.text()
        await api.close()
        await engine.dispose()


@needs_pgbouncer
async def test_case_85_a_pooler_that_stops_answering_is_the_database_away(rig):
    """Also when that is found by the statement that we put before each transaction."""
    with pgbouncer(rig.direct) as pooler:
        async with running_link(pooler) as link:
            engine = create_engine(link.url, name="tests pooled", pool_size=1)
            database = Database(engine, deadline_seconds=0.5)
            async with database.transaction() as conn:
                await conn.exec_driver_sql("SELECT 1")
            link.freeze()
            with pytest.raises(DatabaseUnavailable):
                async with database.transaction():
                    pytest.fail("it began")
            link.thaw()

            async with asyncio.timeout(60), Database(engine, deadline_seconds=5).transaction():
                pass
            await engine.dispose()
