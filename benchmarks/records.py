"""Records of a snapshot a second, from memory to rows, beside a COPY of the same rows.

A worker reads the file (it is in the page cache) into an empty database, then once more, when
nothing differs and nothing may be written. The rows that came of it then go by COPY into copies
of `papers`, `paper_versions` and `paper_changes` with all their columns and indexes, but without
triggers and foreign keys. Rounds (BENCH_ROUNDS) alternate between both.
"""

import asyncio
import io
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from benchmarks.servers import START_SECONDS, cpu_seconds
from benchmarks.stand_in import EMPTY, Site, Wrong, load, site
from service.db.engine import Database
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.snapshot import write_snapshot
from service.domain.jobs import IngestionRequest, SnapshotCriteria
from service.jobs.submit import submit

RECORDS = int(os.environ.get("BENCH_RECORDS", "20000"))
BATCH_SIZE = int(os.environ.get("BENCH_BATCH", "1000"))  # the default of bulk sources
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SNAPSHOT = 3_000_000  # records that arXiv's has, about
GOAL_RATE, GOAL_OF_COPY, GOAL_AGAIN = 5_000, 0.33, 3.0
DONE_SECONDS = 1800.0
SETTLE_SECONDS = 3.0
FILE = "snapshot.json"
TABLES = ("papers", "paper_versions", "paper_changes")
STORED = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'
    ORDER BY ordinal_position
"""
TOOK = "SELECT extract(epoch FROM completed_at - started_at)::float FROM jobs WHERE id = $1"
WRITTEN = "SELECT count(*), sum(hashtext(arxiv_id || xmin::text)) FROM papers"


@dataclass(frozen=True, slots=True)
class Figures:
    """One round: seconds of each; CPU seconds of the first import, here and in PostgreSQL."""

    first: float
    again: float
    copied: float
    cpu: float
    server_cpu: float


def run() -> None:
    """Measure, and print the figures and the ratios."""
    print(f"records: {RECORDS:,} of a snapshot, {ROUNDS} rounds; {load()}", flush=True)
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site(Path(folder), "--papers", "10") as place,
    ):
        write_snapshot(Records(Corpus(papers=RECORDS, seed=7)), Path(folder) / FILE)
        for number in range(ROUNDS):
            asyncio.run(place.run(_empty))
            found.append(_measure(place))
            one = found[-1]
            print(
                f"round {number + 1} of {ROUNDS}: import {one.first:.2f} s,"
                f" again {one.again:.2f} s, COPY {one.copied:.2f} s; {load()}",
                flush=True,
            )
    _report(found)


def _measure(place: Site) -> Figures:
    changes = {"SNAPSHOT_DIR": str(place.folder), "EXTRACT_PROCESSES": "1"}
    with place.workers(1, **changes) as workers:

        async def work(database: Database, connection: asyncpg.Connection) -> Figures:
            await _started(connection)
            cpu, server_cpu = cpu_seconds(workers), cpu_seconds([place.server])
            first = await _import(database, connection)
            cpu = cpu_seconds(workers) - cpu
            server_cpu = cpu_seconds([place.server]) - server_cpu
            before = tuple(await connection.fetchrow(WRITTEN))
            again = await _import(database, connection)
            if before != tuple(await connection.fetchrow(WRITTEN)) or before[0] != RECORDS:
                raise Wrong(f"{before[0]} papers are held, or the second import wrote some")
            return Figures(first, again, await _copy(connection), cpu, server_cpu)

        found: Figures = asyncio.run(place.run(work))
        return found


async def _empty(_: Database, connection: asyncpg.Connection) -> None:
    await connection.execute(EMPTY + "; TRUNCATE paper_changes, paper_change_batches, workers")
    await connection.execute("CHECKPOINT")


async def _started(connection: asyncpg.Connection) -> None:
    """Return when the worker waits for work: its start is not measured."""
    async with asyncio.timeout(START_SECONDS):
        while not await connection.fetchval("SELECT count(*) FROM workers"):
            await connection.fetch("SELECT pg_sleep(0.1)")
    await asyncio.sleep(SETTLE_SECONDS)


async def _import(database: Database, connection: asyncpg.Connection) -> float:
    """Seconds that a job for the whole file took."""
    request = IngestionRequest(
        source="snapshot",
        snapshot=SnapshotCriteria(file=FILE),
        max_papers=None,
        batch_size=BATCH_SIZE,
        process_pdfs=False,
    )
    job = (await submit(database, request, caller="bench")).job
    async with asyncio.timeout(DONE_SECONDS):
        while (took := await connection.fetchval(TOOK, job.id)) is None:
            await connection.fetch("SELECT pg_sleep(0.1)")
    return float(took)


async def _copy(connection: asyncpg.Connection) -> float:
    """Seconds of COPY for the rows that are held, into tables like theirs."""
    await connection.execute("DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare")
    rows: dict[str, Any] = {}
    for table in TABLES:
        await connection.execute(f"CREATE TABLE bare.{table} (LIKE public.{table} INCLUDING ALL)")
        names = [row["column_name"] for row in await connection.fetch(STORED, table)]
        rows[table] = names, io.BytesIO()
        await connection.copy_from_table(
            table, columns=names, output=rows[table][1], format="binary"
        )
        rows[table][1].seek(0)
    await connection.execute("CHECKPOINT")
    began = time.perf_counter()
    async with connection.transaction():
        for table, (names, data) in rows.items():
            await connection.copy_to_table(
                table, schema_name="bare", columns=names, source=data, format="binary"
            )
    return time.perf_counter() - began


def _report(found: list[Figures]) -> None:
    rate = median(RECORDS / one.first for one in found)
    of_copy = median(one.copied / one.first for one in found)
    again = median(one.first / one.again for one in found)
    cpu, server = (median(getattr(one, name) for one in found) for name in ("cpu", "server_cpu"))
    print(f"COPY: {median(RECORDS / one.copied for one in found):,.0f} papers a second")
    for what, value, goal, form in (
        ("records a second", rate, GOAL_RATE, ",.0f"),
        ("of COPY", of_copy, GOAL_OF_COPY, ".2f"),
        ("times as fast the second time", again, GOAL_AGAIN, ".1f"),
    ):
        verdict = "reached" if value >= goal else "NOT reached"
        print(f"import: {value:{form}} {what} (goal {goal:{form}}: {verdict})")
    print(f"CPU of a record: worker {cpu / RECORDS * 1e6:.0f} µs,", end=" ")
    print(f"PostgreSQL {server / RECORDS * 1e6:.0f} µs")
    print(f"{SNAPSHOT:,} records at that rate: {SNAPSHOT / rate / 60:.0f} minutes (extrapolated)")
