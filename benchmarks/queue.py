"""The queue by itself: tasks put in, tasks that do nothing taken out, and what NOTIFY costs.

Tasks go in from one connection, a hundred in a transaction, as a harvest does. They are taken
out by 1, 2 and 4 processes with `noop.py`, in alternating rounds. NOTIFY: sixteen connections
each change a job of their own, with the trigger that announces it and without.
"""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import asyncpg

from benchmarks.noop import CONCURRENCY, KIND
from benchmarks.servers import running
from benchmarks.stand_in import EMPTY, Site, load, site
from service.db.addresses import libpq_url
from service.db.engine import Database
from service.worker.engine import enqueue
from service.worker.task import Task

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ENGINES = (1, 2, 4)
BATCH = 100
JOB_WATCH = 20_000  # tasks at the beginning of a round
WRITERS = 16


def run() -> None:
    """Measure, and print the figures."""
    print(f"queue: {ROUNDS} rounds of {SECONDS} s, alternating; {load()}")
    put: list[float] = []
    taken: dict[int, list[float]] = {number: [] for number in ENGINES}
    announced: list[float] = []
    silent: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        site(Path(folder)) as place,
    ):
        asyncio.run(place.run(_fill))
        size = asyncio.run(place.run(_size))
        for number in range(ROUNDS):
            for engines in ENGINES:
                put.append(asyncio.run(place.run(_fill)))
                taken[engines].append(_take(place, engines))
            announced.append(asyncio.run(_write(place, "ENABLE")))
            silent.append(asyncio.run(_write(place, "DISABLE")))
            print(f"round {number + 1} of {ROUNDS}; {load()}", file=sys.stderr)
    print(f"put in, {BATCH} in a transaction: {median(put):,.0f} tasks/s, {size:,.0f} bytes each")
    for engines, found in taken.items():
        ratio = median(mine / one for mine, one in zip(found, taken[1], strict=True))
        print(f"taken out by {engines}, {CONCURRENCY} at once: ", end="")
        print(f"{median(found):,.0f} tasks/s, {ratio:.2f} of one")
    ratio = median(with_ / without for with_, without in zip(announced, silent, strict=True))
    print(
        f"changes of jobs over {WRITERS} connections: {median(announced):,.0f}/s announced,",
        end=" ",
    )
    print(f"{median(silent):,.0f}/s not; ratio {ratio:.2f}")
    print(load())


async def _fill(database: Database, connection: asyncpg.Connection) -> float:
    """Put tasks in; returns how many in a second."""
    await connection.execute(EMPTY)
    job_id = uuid4()
    began = time.perf_counter()
    for first in range(0, JOB_WATCH, BATCH):
        tasks = [_task(job_id, number) for number in range(first, first + BATCH)]
        async with database.transaction() as conn:
            await enqueue(conn, tasks)
    took = time.perf_counter() - began
    await connection.execute("ANALYZE pgqueuer")
    return JOB_WATCH / took


async def _size(_: Database, connection: asyncpg.Connection) -> float:
    """Bytes that a waiting task takes, its entry in the log included."""
    of_all = "SELECT pg_total_relation_size('pgqueuer') + pg_total_relation_size('pgqueuer_log')"
    size: float = await connection.fetchval(of_all) / JOB_WATCH
    return size


def _task(job_id: UUID, number: int) -> Task:
    return Task(kind=KIND, job_id=job_id, key=str(number), payload={}, priority=-number)


def _take(place: Site, engines: int) -> float:
    with ExitStack() as stack:
        for index in range(engines):
            log = place.folder / f"noop-{index}.log"
            command = [sys.executable, "-m", "benchmarks.noop", place.url]
            stack.enter_context(running(command, log=log, environment={}))
        rate: float = asyncio.run(place.run(lambda _, connection: _count(connection, engines)))
        return rate


async def _count(connection: asyncpg.Connection, engines: int) -> float:
    """Tasks that leave the queue in a second, once all engines are at work."""
    at_work = "SELECT count(DISTINCT queue_manager_id) FROM pgqueuer WHERE status = 'picked'"
    left = "SELECT count(*), clock_timestamp() FROM pgqueuer"
    async with asyncio.timeout(60):
        while await connection.fetchval(at_work) < engines:
            await connection.fetch("SELECT pg_sleep(0.05)")
    before, began = await connection.fetchrow(left)
    for _ in range(SECONDS * 10):
        await asyncio.sleep(0.1)
        after, ended = await connection.fetchrow(left)
        if after < JOB_WATCH // 10:
            break
    rate: float = (before - after) / (ended - began).total_seconds()
    return rate


async def _write(place: Site, trigger: str) -> float:
    """Changes of jobs in a second, with the trigger enabled or disabled."""
    connections = [await asyncpg.connect(libpq_url(place.url)) for _ in range(WRITERS)]
    first = connections[0]
    await first.execute(f"{EMPTY}; ALTER TABLE jobs {trigger} TRIGGER jobs_announce")
    jobs = [
        await first.fetchval("INSERT INTO jobs DEFAULT VALUES RETURNING id") for _ in connections
    ]
    until = time.perf_counter() + SECONDS
    done = await asyncio.gather(*map(_change, connections, jobs, [until] * WRITERS))
    await first.execute("ALTER TABLE jobs ENABLE TRIGGER jobs_announce")
    for connection in connections:
        await connection.close()
    return sum(done) / SECONDS


async def _change(connection: asyncpg.Connection, job: UUID, until: float) -> int:
    number = 0
    while time.perf_counter() < until:
        await connection.execute("UPDATE jobs SET resumed = resumed + 1 WHERE id = $1", job)
        number += 1
    return number
