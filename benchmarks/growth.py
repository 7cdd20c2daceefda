"""What a paper, a job and an idle worker cost PostgreSQL: rows, log, transactions, connections.

One job of real work over the stand-in, looked at before and after; then four idle workers; then
the removal of old jobs, beside the removal of the same rows as one partition.
"""

import asyncio
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.servers import cpu_seconds
from benchmarks.stand_in import EMPTY, load, site
from service.db.engine import Database
from service.domain.jobs import Criteria, IngestionRequest
from service.jobs.maintenance.retention import remove_old_jobs
from service.jobs.submit import submit

PAPERS = int(os.environ.get("BENCH_PAPERS", "500"))
IDLE_WORKERS = 4
IDLE_SECONDS = 20
OLD_JOBS, OLD_PAPERS = 100, 1_000  # of each job
TABLES = ("papers", "paper_texts", "job_papers", "pgqueuer_log")
FIGURES = """
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal,
           (SELECT wal_fpi FROM pg_stat_wal) AS images,
           (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits
"""
UPDATES = """
    SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_dead_tup FROM pg_stat_user_tables
    WHERE relname = ANY($1) ORDER BY relname
"""
MORE_JOBS = """
    INSERT INTO jobs (status, request, requested_by, idempotency_key, checkpoint, started_at,
                      taken_up_at, completed_at)
    SELECT 'completed', request, requested_by, gen_random_uuid(), checkpoint, started_at,
           taken_up_at, completed_at
    FROM jobs, generate_series(1, 10000)
"""
CHANGES_A_SECOND = 10  # of the queue, by a task that nobody takes
PUT_IN = "INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'nobody')"
TAKE_OUT = (
    "DELETE FROM pgqueuer WHERE id = (SELECT min(id) FROM pgqueuer WHERE entrypoint = 'nobody')"
)
CHANGES = {
    "": "SELECT 1",
    f", {CHANGES_A_SECOND} times a second a task put in": PUT_IN,
    f", {CHANGES_A_SECOND} times a second a task ended": TAKE_OUT,
}
OLD = f"""
    INSERT INTO jobs (status, request, started_at, completed_at)
    SELECT 'completed', '{{}}', now(), now() - interval '100 days'
    FROM generate_series(1, {OLD_JOBS});
    INSERT INTO job_papers (job_id, arxiv_id, version, state)
    SELECT id, '2301.' || lpad(n::text, 5, '0'), 1, 'processed'
    FROM jobs, generate_series(1, {OLD_PAPERS}) n;
    CREATE TABLE part (LIKE job_papers INCLUDING ALL EXCLUDING GENERATED);
    INSERT INTO part SELECT * FROM job_papers;
    VACUUM ANALYZE job_papers;
"""


def run() -> None:
    """Measure, and print the figures."""
    print(f"growth: one job of {PAPERS} papers with PDFs; {load()}")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site(Path(folder), "--papers", "5000") as place,
    ):
        asyncio.run(place.run(_submit))
        with place.workers(1, EXTRACT_PROCESSES="1"):
            asyncio.run(place.run(lambda _, connection: _watch_job(connection)))
        asyncio.run(place.run(lambda _, connection: _weigh(connection)))
        asyncio.run(place.run(lambda _, connection: _forget(connection)))
        with place.workers(IDLE_WORKERS, EXTRACT_PROCESSES="1"):
            asyncio.run(place.run(lambda _, connection: _watch_idle(connection, place.server)))
        asyncio.run(place.run(_remove))
    print(load())


async def _submit(database: Database, _: asyncpg.Connection) -> None:
    criteria = Criteria(category="cs.LG", page_size=100)
    request = IngestionRequest(criteria=criteria, max_papers=PAPERS)
    await submit(database, request, caller="bench")


async def _watch_job(connection: asyncpg.Connection) -> None:
    await connection.execute("CHECKPOINT; SELECT pg_stat_reset()")
    before = await connection.fetchrow(FIGURES)
    began = time.perf_counter()
    async with asyncio.timeout(600):
        while await connection.fetchval("SELECT count(*) FROM jobs WHERE completed_at IS NULL"):
            await connection.fetch("SELECT pg_sleep(0.5)")
    seconds = time.perf_counter() - began
    await connection.fetch("SELECT pg_sleep(2)")  # statistics come late
    after = await connection.fetchrow(FIGURES)
    papers = await connection.fetchval("SELECT papers_fetched FROM jobs")
    wal = (after["wal"] - before["wal"]) / papers
    print(f"{papers} papers in {seconds:.0f} s")
    print(
        f"log written: {wal:,.0f} bytes a paper, {after['images'] - before['images']:,} page images"
    )
    print(f"transactions: {(after['commits'] - before['commits']) / papers:.1f} a paper")
    for row in await connection.fetch(UPDATES, [*TABLES, "jobs", "pgqueuer"]):
        share = row["n_tup_hot_upd"] / max(1, row["n_tup_upd"])
        print(f"{row['relname']:<14}{row['n_tup_ins'] / papers:>7.2f} inserts a paper,", end="")
        print(f"{row['n_tup_upd'] / papers:>6.2f} updates ({share:.0%} HOT)", end="")
        print(f", {row['n_dead_tup']:,} dead rows")


async def _weigh(connection: asyncpg.Connection) -> None:
    """Print what a row takes on disk, as it came and packed."""
    came = {table: await _bytes(connection, table) for table in TABLES}
    for table in TABLES:
        await connection.execute(f"VACUUM FULL {table}")
        rows, *packed = await _bytes(connection, table)
        _, heap, indexes = came[table]
        print(f"{table:<14}{rows:>6} rows: {heap:,.0f} + {indexes:,.0f} bytes a row", end="")
        print(f" with its indexes as it came, {packed[0]:,.0f} + {packed[1]:,.0f} packed")
    await connection.execute(MORE_JOBS)
    rows, heap, indexes = await _bytes(connection, "jobs")
    print(f"{'jobs':<14}{rows:>6} rows: {heap:,.0f} + {indexes:,.0f} bytes a row, packed")


async def _bytes(connection: asyncpg.Connection, table: str) -> tuple[int, float, float]:
    """Rows, and bytes of heap (with what is kept apart) and of indexes for each."""
    sizes: Any = await connection.fetchrow(
        f"SELECT (SELECT count(*) FROM {table}) AS rows,"
        f" pg_table_size('{table}') AS heap, pg_indexes_size('{table}') AS indexes"
    )
    rows = max(1, sizes["rows"])
    return sizes["rows"], sizes["heap"] / rows, sizes["indexes"] / rows


async def _forget(connection: asyncpg.Connection) -> None:
    await connection.execute(EMPTY)


async def _watch_idle(connection: asyncpg.Connection, server: psutil.Process) -> None:
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'arxiv-ingestion%'"
    async with asyncio.timeout(60):
        while await connection.fetchval(ours) < 4 * IDLE_WORKERS:
            await connection.fetch("SELECT pg_sleep(0.2)")
    await asyncio.sleep(5)
    for what, change in CHANGES.items():
        before, cpu = await connection.fetchrow(FIGURES), cpu_seconds([server])
        began = time.perf_counter()
        while (seconds := time.perf_counter() - began) < IDLE_SECONDS:
            await connection.execute(change)
            await asyncio.sleep(1 / CHANGES_A_SECOND)
        cpu = cpu_seconds([server]) - cpu
        await asyncio.sleep(1)
        after = await connection.fetchrow(FIGURES)
        commits = (after["commits"] - before["commits"]) / seconds - CHANGES_A_SECOND
        commits /= IDLE_WORKERS
        print(f"an idle worker{what}: {commits:.1f} transactions/s,", end=" ")
        print(f"{cpu / seconds / IDLE_WORKERS * 1000:.1f} ms/s of PostgreSQL's CPU,", end=" ")
        print(f"{await connection.fetchval(ours) / IDLE_WORKERS:.1f} connections")


async def _remove(database: Database, connection: asyncpg.Connection) -> None:
    for statement in OLD.split(";")[:-1]:
        await connection.execute(statement)
    before = await connection.fetchrow(FIGURES)
    began = time.perf_counter()
    removed = await remove_old_jobs(database, older_than=timedelta(days=30))
    took = time.perf_counter() - began
    after = await connection.fetchrow(FIGURES)
    rows = removed.jobs + removed.job_papers
    began = time.perf_counter()
    await connection.execute("VACUUM job_papers")
    vacuum = time.perf_counter() - began
    began = time.perf_counter()
    await connection.execute("DROP TABLE part")
    dropped = time.perf_counter() - began
    print(
        f"removal of {removed.jobs} jobs with {removed.job_papers:,} entries: {took:.2f} s,",
        end=" ",
    )
    print(f"{rows / took:,.0f} rows/s, {(after['wal'] - before['wal']) / rows:.0f} B of log a row;")
    print(f"VACUUM after it {vacuum:.2f} s; DROP of the same rows as a table {dropped:.3f} s")
