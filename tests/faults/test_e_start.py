"""Group E of the fault list: many that start at once, of several versions, with little memory."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import migrate, revision
from service.domain.jobs import Criteria, JobStatus
from tests.faults.processes import until_ready
from tests.hostile import nested_states
from tests.migrations.conftest import rows

ROOT = Path(__file__).parents[2]
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relname NOT LIKE 'alembic_version%'"
)
UPGRADE = """
import asyncio, sys
from service.db import migrate, revision
from service.db.engine import create_engine
async def main():
    engine = create_engine(sys.argv[1], name="migrator", pool_size=1)
    await migrate.upgrade(engine)
    await engine.dispose()
asyncio.run(main())
"""


async def test_case_74_three_that_start_at_once_on_an_empty_database_migrate_it_once(
    rig, tools, empty, empty_url
):
    ports = [tools.free_port() for _ in range(3)]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        for port in ports:
            serving = rig.process("serve", DATABASE_URL=empty_url, PORT=str(port))
            await stack.enter_async_context(serving)
        for port in ports:
            await until_ready(client, f"http://127.0.0.1:{port}")

    stored = await rows(empty, "SELECT version_num FROM alembic_version")
    assert stored == [revision.head_revision()]
    assert await rows(empty, "SELECT lane FROM upstream_pace ORDER BY 1") == ["api", "html", "pdf"]


async def test_case_74_a_migrator_that_is_killed_half_way_leaves_nothing_half(empty, empty_url):
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
    left = await rows(empty, TABLES)

    await migrate.upgrade(empty)

    assert left == []
    assert await revision.is_current(empty)


# Creating the first view waits for the lock that the test holds.
HOLD_FUNCTION = """
    CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM 1 FROM jobs_wait; END $$
"""
HOLD_TRIGGER = """
    CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE VIEW')
    EXECUTE FUNCTION hold()
"""
JOB_WATCH = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrator'"
    " AND wait_event_type = 'Lock' AND datname = current_database()"
)
THERE = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name = 'migrator'"
    " AND datname = current_database()"
)


async def _waiting(engine: AsyncEngine) -> None:
    async with asyncio.timeout(60):
        while not await rows(engine, JOB_WATCH):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _gone(engine: AsyncEngine) -> None:
    async with asyncio.timeout(60):
        while await rows(engine, THERE):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


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


FOREIGN = [
    (b'{"v": 2, "paper": "x"}', '{"job": "0190b8f5-0000-7000-8000-000000000000"}'),
    (b"{}", '{"job": "0190b8f5-0000-7000-8000-000000000000"}'),
    (b'{"v": 2}', None),
    (b'{"v": 2}', '{"job": 7}'),
    (b"\x08\x96\x01", "{}"),
    (b"[2]", "{}"),
    (None, None),
]


OLD = """
    INSERT INTO pgqueuer (priority, status, entrypoint, payload, headers)
    VALUES (1000000, 'queued', :kind, :payload, CAST(:headers AS jsonb)) RETURNING id
"""
LEFT = "SELECT id, status::text FROM pgqueuer WHERE id = ANY(:ids) ORDER BY id"


async def test_case_75_what_another_version_has_queued_is_left_to_it(rig):
    """Other payloads of the kinds that we know, and a kind that we do not know."""
    tasks = [("pdf", payload, headers) for payload, headers in FOREIGN]
    tasks.append(("summary", b'{"v": 1}', '{"job": "0190b8f5-0000-7000-8000-000000000000"}'))
    foreign = [
        (await rig.rows(OLD, kind=kind, payload=payload, headers=headers))[0].id
        for kind, payload, headers in tasks
    ]

    async with rig.process():
        job = await rig.final(await rig.submit())

    left = [tuple(row) for row in await rig.rows(LEFT, ids=foreign)]
    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 10)
    assert left == [(number, "queued") for number in foreign]


@pytest.mark.slow_faults
async def test_case_76_a_bomb_ends_its_reader_and_not_the_worker(rig):
    """In 512 MiB where a control group may be made; the kernel would choose the reader, too."""
    bomb, other = (rig.replica.corpus.id_of(number) for number in (0, 1))
    body = {"kind": "body", "content_type": "application/pdf", "body": nested_states()}
    rig.replica.script([{**body, "lane": "pdf", "match": str(bomb), "times": 99}])
    job_id = await rig.submit(criteria=Criteria(ids=(bomb, other)), max_papers=2)

    with memory_group(512 << 20) as group:
        async with rig.process() as worker:
            if group is not None:
                (group / "cgroup.procs").write_text(str(worker.pid))
            async with asyncio.timeout(60):  # a reader puts itself forward when it starts
                while "1000" not in (found := _oom_scores(worker.pid)):
                    await rig.rows("SELECT pg_sleep(0.02)")
            job = await rig.final(job_id, seconds=90)
            assert worker.returncode is None

    print(f"control group: {group is not None}; oom_score_adj of worker, readers: {found}")
    assert found[0] == "0"
    ((code, arxiv_id),) = [(error.code, error.arxiv_id) for error in job.errors]
    assert arxiv_id == str(bomb)
    assert code == ("quarantined" if group else "resource_limit")  # killed, or refused memory
    assert (job.status, job.pdfs_processed, job.resumed) == (JobStatus.COMPLETED, 1, 0)


def _oom_scores(pid):
    """What the kernel adds to the process and to its children when it looks for a victim."""
    worker = psutil.Process(pid)
    everybody = [worker, *worker.children(recursive=True)]
    paths = [Path(f"/proc/{one.pid}/oom_score_adj") for one in everybody]
    return [path.read_text().strip() for path in paths if path.exists()]


@contextmanager
def memory_group(limit: int) -> Iterator[Path | None]:
    """A control group for memory (version 1); None where none may be made."""
    group = Path("/sys/fs/cgroup/memory") / f"faults-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()
