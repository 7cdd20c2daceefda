"""PDFs per second of 1, 2, 4 and 8 worker processes, where waiting for arXiv is what takes time.

The stand-in answers each PDF after half a second, and the pace is lifted. All workers share a
database, a storage folder and the machine. One job is in work in each round; counted is what
reaches its text between two looks at the database. Rounds alternate, so that a busy machine is
busy for all of them.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.stand_in import EMPTY, Site, load, site
from service.domain.job import Criteria, IngestionRequest
from service.ingest.submit import submit
from service.storage.engine import Database

PROCESSES = tuple(map(int, os.environ.get("BENCH_PROCESSES", "1,2,4,8").split(",")))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))  # counted, in each round for each number
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "2"))  # PDFs at once in each process
LATENCY = 0.5
GOALS = {2: 1.8, 4: 3.4}
PAPERS = 2000
WARM_SECONDS = 3.0
READY = """
    SELECT count(DISTINCT queue_manager_id) FROM pgqueuer
    WHERE entrypoint = 'pdf' AND status = 'picked'
"""
DONE = "SELECT count(*), clock_timestamp() FROM job_papers WHERE state = 'processed'"


def run() -> None:
    """Measure, and print the table and the ratios."""
    print(f"workers: PDFs per second, {LATENCY} s each at the stand-in, {CONCURRENCY} at once in")
    print(f"each process; {ROUNDS} rounds of {SECONDS} s, alternating; {load()}")
    rates: dict[int, list[float]] = {number: [] for number in PROCESSES}
    options = ("--latency", str(LATENCY), "--papers", "20000")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site(Path(folder), *options) as place,
    ):
        for round_number in range(ROUNDS):
            for number in PROCESSES:
                rates[number].append(_measure(place, number))
            done = ", ".join(f"{number}: {rates[number][-1]:.2f}" for number in PROCESSES)
            print(f"round {round_number + 1} of {ROUNDS}: {done}; {load()}", file=sys.stderr)
    _report(rates)


def _measure(place: Site, number: int) -> float:
    """PDFs per second of `number` workers."""
    asyncio.run(place.run(_begin))
    with place.workers(number, PDF_CONCURRENCY=str(CONCURRENCY), EXTRACT_PROCESSES="1"):
        rate: float = asyncio.run(place.run(lambda _, connection: _watch(connection, number)))
        return rate


async def _begin(database: Database, connection: asyncpg.Connection) -> None:
    """Forget the round before, and submit a job that is longer than a round."""
    await connection.execute(EMPTY)
    criteria = Criteria(from_date=date(2007, 1, 1), to_date=date(2030, 12, 31), page_size=PAPERS)
    request = IngestionRequest(criteria=criteria, max_papers=PAPERS, batch_size=200)
    await submit(database, request, caller="bench")


async def _watch(connection: asyncpg.Connection, number: int) -> float:
    async with asyncio.timeout(120):
        while await connection.fetchval(READY) < number:
            await connection.fetch("SELECT pg_sleep(0.2)")
    await asyncio.sleep(WARM_SECONDS)
    before: tuple[int, datetime] = await connection.fetchrow(DONE)
    await asyncio.sleep(SECONDS)
    after: tuple[int, datetime] = await connection.fetchrow(DONE)
    if after[0] >= PAPERS:
        raise SystemExit("the job ended before the round did: fewer BENCH_SECONDS are needed")
    return (after[0] - before[0]) / (after[1] - before[1]).total_seconds()


def _report(rates: dict[int, list[float]]) -> None:
    first = min(rates)
    print(f"{'processes':>10}{'PDFs/s':>10}{'of the limit':>14}{'ratio':>8}{'goal':>7}")
    for number, found in rates.items():
        ratio = _ratio(found, rates[first]) * first
        limit = number * CONCURRENCY / LATENCY
        goal = GOALS.get(number)
        verdict = (
            "" if goal is None else f"{goal:>7} {'reached' if ratio >= goal else 'NOT reached'}"
        )
        share = median(found) / limit
        print(f"{number:>10}{median(found):>10.2f}{share:>14.0%}{ratio:>8.2f}{verdict}")
    print(f"medians; ratios are medians of each round's; {load()}")


def _ratio(found: Sequence[float], base: Sequence[float]) -> float:
    return median(mine / its for mine, its in zip(found, base, strict=True))
