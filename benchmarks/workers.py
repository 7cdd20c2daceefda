"""PDFs per second of 1, 2, 4 and 8 worker processes, where waiting for arXiv is what takes time.

The stand-in answers each PDF after half a second, and the pace is lifted. All workers share a
database, a storage folder and the machine. One job (BENCH_JOBS) is in work in each round;
counted is what reaches its text between two reads of the database. Rounds alternate, so that a
busy machine is busy for all of them.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from statistics import median

import asyncpg
import psutil

from benchmarks.servers import cpu_seconds
from benchmarks.stand_in import EMPTY, Site, load, site
from service.db.engine import Database
from service.domain.jobs import Criteria, IngestionRequest
from service.jobs.submit import submit

PROCESSES = tuple(map(int, os.environ.get("BENCH_PROCESSES", "1,2,4,8").split(",")))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))  # counted, in each round for each number
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "1"))  # PDFs at once in each process
LATENCY = 0.5
GOALS = {2: 1.8, 4: 3.4}
JOBS = int(os.environ.get("BENCH_JOBS", "1"))  # in work together, equal parts of the papers
PAPERS = 2000
WARM_SECONDS = 6.0
READY = """
    SELECT count(DISTINCT queue_manager_id) FROM pgqueuer
    WHERE entrypoint = 'pdf' AND status = 'picked'
"""
DONE = "SELECT count(*), clock_timestamp() FROM job_papers WHERE state = 'processed'"


@dataclass(frozen=True, slots=True)
class Figures:
    """One round of one number of processes; CPU is what a PDF took of it."""

    rate: float
    cpu_ms: float
    server_cpu_ms: float


def run() -> None:
    """Measure, and print the table and the ratios."""
    print(f"workers: PDFs per second, {LATENCY} s each at the stand-in, {CONCURRENCY} at once in")
    print(f"each process; {ROUNDS} rounds of {SECONDS} s, alternating; {load()}")
    rates: dict[int, list[Figures]] = {number: [] for number in PROCESSES}
    options = ("--latency", str(LATENCY), "--papers", "20000")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site(Path(folder), *options) as place,
    ):
        for round_number in range(ROUNDS):
            for number in PROCESSES:
                rates[number].append(_measure(place, number))
            done = ", ".join(f"{number}: {rates[number][-1].rate:.2f}" for number in PROCESSES)
            print(f"round {round_number + 1} of {ROUNDS}: {done}; {load()}", file=sys.stderr)
    _report(rates)


def _measure(place: Site, number: int) -> Figures:
    """What `number` workers do in a round."""
    asyncio.run(place.run(_begin))
    changes = {"PDF_CONCURRENCY": str(CONCURRENCY), "EXTRACT_PROCESSES": "1"}
    with place.workers(number, **changes) as workers:
        found: Figures = asyncio.run(
            place.run(lambda _, connection: _watch(connection, workers, place.server))
        )
        return found


async def _begin(database: Database, connection: asyncpg.Connection) -> None:
    """Forget the round before, and submit jobs that take longer than a round."""
    await connection.execute(EMPTY)
    each = PAPERS // JOBS
    for start in range(0, PAPERS, each):
        criteria = Criteria(
            from_date=date(2007, 1, 1), to_date=date(2030, 12, 31), page_size=each, start=start
        )
        request = IngestionRequest(criteria=criteria, max_papers=each, batch_size=200)
        await submit(database, request, caller="bench")


async def _watch(
    connection: asyncpg.Connection, workers: Sequence[psutil.Process], server: psutil.Process
) -> Figures:
    async with asyncio.timeout(120):
        while await connection.fetchval(READY) < len(workers):
            await connection.fetch("SELECT pg_sleep(0.2)")
    await asyncio.sleep(WARM_SECONDS)
    cpu, server_cpu = cpu_seconds(workers), cpu_seconds([server])
    before: tuple[int, datetime] = await connection.fetchrow(DONE)
    await asyncio.sleep(SECONDS)
    after: tuple[int, datetime] = await connection.fetchrow(DONE)
    if after[0] >= PAPERS:
        raise SystemExit("the job ended before the round did: fewer BENCH_SECONDS are needed")
    done = max(1, after[0] - before[0])
    return Figures(
        rate=done / (after[1] - before[1]).total_seconds(),
        cpu_ms=(cpu_seconds(workers) - cpu) / done * 1000,
        server_cpu_ms=(cpu_seconds([server]) - server_cpu) / done * 1000,
    )


def _report(rates: dict[int, list[Figures]]) -> None:
    heads = ("processes", "PDFs/s", "of the limit", "CPU/PDF", "PostgreSQL's", "ratio", "goal")
    print("".join(f"{head:>13}" for head in heads))
    for number, found in rates.items():
        ratio = median(
            mine.rate / its.rate for mine, its in zip(found, rates[min(rates)], strict=True)
        )
        rate = median(one.rate for one in found)
        cells = [
            str(number),
            f"{rate:.2f}",
            f"{rate / (number * CONCURRENCY / LATENCY):.0%}",
            f"{median(one.cpu_ms for one in found):.0f} ms",
            f"{median(one.server_cpu_ms for one in found):.0f} ms",
            f"{ratio:.2f}",
        ]
        if goal := GOALS.get(number):
            cells.append(f"{goal} {'reached' if ratio >= goal else 'NOT reached'}")
        print("".join(f"{cell:>13}" for cell in cells))
    print(f"medians; a ratio is the median of each round's; {load()}")
