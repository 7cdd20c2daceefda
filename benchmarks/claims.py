"""How long a claim takes: 1,000 tasks in the queue, 100,000 behind it, 20 claimers.

The claimers are connections of four processes that do nothing but claim (`claimer.py`); what
they measure is the round trip. What PostgreSQL itself took of it is read from its log, in a
round of its own. Without a pause all 20 claim all the time; a worker claims when it has room.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import asyncpg

from benchmarks.claimer import KIND
from benchmarks.servers import ROOT
from benchmarks.stand_in import EMPTY, Site, load, site
from service.db.engine import Database
from service.worker.engine import enqueue
from service.worker.task import Task

PAST = 100_000
QUEUED = 1_000
PROCESSES = 4
EACH = 5  # connections of a process
FILL = f"""
    INSERT INTO pgqueuer (priority, status, entrypoint) SELECT n % 100, 'queued', '{KIND}'
    FROM generate_series(1, {PAST}) n;
    INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'successful', entrypoint, priority FROM pgqueuer;
    DELETE FROM pgqueuer
"""
STEP = re.compile(r"\[(\d+)\] LOG:  duration: ([\d.]+) ms  (bind|execute) \S+: WITH\n")


def run() -> None:
    """Measure, and print the figures."""
    print(f"claims: {QUEUED:,} tasks, {PAST:,} behind them, {PROCESSES * EACH} claimers; {load()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, site(Path(folder)) as place:
        for pause in (0.0, 0.1):
            for is_vacuumed in (False, True):
                asyncio.run(place.run(lambda d, c, tidy=is_vacuumed: _fill(d, c, is_tidy=tidy)))
                what = "vacuumed" if is_vacuumed else "not vacuumed"
                print(f"a claim each {pause:g} s, {what}: {_figures(_claim(place, pause))}")
        asyncio.run(place.run(lambda d, c: _fill(d, c, is_tidy=True)))
        print(f"of which PostgreSQL, a claim each 0.1 s: {_figures(_logged(place))}")
    print(load())


async def _fill(database: Database, connection: asyncpg.Connection, *, is_tidy: bool) -> None:
    """A queue that has seen much: its rows are gone, and where they were is not vacuumed yet."""
    await connection.execute(EMPTY)
    await connection.execute(FILL)
    tasks = [Task(kind=KIND, job_id=uuid4(), key=str(n), payload={}) for n in range(QUEUED)]
    async with database.transaction() as conn:
        await enqueue(conn, tasks)
    if is_tidy:
        await connection.execute("VACUUM ANALYZE pgqueuer")


def _claim(place: Site, pause: float, logged: str = "") -> list[float]:
    """The seconds of each claim; raises AssertionError when a task is claimed twice, or never."""
    command = [sys.executable, "-m", "benchmarks.claimer", place.url, str(EACH), str(pause), logged]
    claimers = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for claimer in claimers:
        assert claimer.stdout is not None
        assert claimer.stdout.readline() == "ready\n"
    told = [json.loads(claimer.communicate("go\n", timeout=120)[0]) for claimer in claimers]
    ids = [one for _, mine in told for one in mine]
    assert len(ids) == len(set(ids)) == QUEUED
    return [one for seconds, _ in told for one in seconds]


def _logged(place: Site) -> list[float]:
    """The seconds that PostgreSQL spent on each claim: on binding, which plans, and executing."""
    log = place.folder / "postgres/data/server.log"
    before = log.stat().st_size
    _claim(place, 0.1, "logged")
    seconds, bound = [], {}
    for backend, milliseconds, step in STEP.findall(log.read_text()[before:]):
        if step == "bind":
            bound[backend] = float(milliseconds)
        else:
            seconds.append((bound.pop(backend, 0.0) + float(milliseconds)) / 1000)
    return seconds


def _figures(seconds: list[float]) -> str:
    ranked = sorted(1000 * one for one in seconds)
    p50, p99 = (ranked[int(share * len(ranked))] for share in (0.5, 0.99))
    return f"{len(ranked)} claims, p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {ranked[-1]:.1f} ms"
