"""`python -m benchmarks.claimer URL NUMBER PAUSE LOGGED`: connections that only claim tasks.

Each says when it is ready, waits for a line, and then does nothing but claim, so that what is
measured is the round trip. Prints as JSON the seconds of each claim, and the tasks it got.
"""

import asyncio
import json
import random
import sys
import time
from datetime import timedelta
from uuid import uuid4

import asyncpg
import uvloop

from service.db.addresses import libpq_url
from service.worker.queries import builders

KIND = "pdf"
CONCURRENCY = 8  # of a worker, by default; it claims half as many at a time
LEASE = timedelta(seconds=15)


def claim() -> tuple[str, list[object]]:
    """The statement with which a worker claims, for one that has nothing in work yet."""
    query = builders()["qbq"].build_dequeue_query(
        batch_size=CONCURRENCY // 2,
        entrypoints=[KIND],
        concurrency_limits=[0],
        queue_manager_id=uuid4(),
        global_concurrency_limit=CONCURRENCY,
        heartbeat_timeout=LEASE,
    )
    return query.sql, list(query.args)


async def main(url: str, number: int, pause: float, logged: str) -> None:
    """Claim over so many connections, `pause` seconds between two claims of each."""
    connections = [await asyncpg.connect(libpq_url(url)) for _ in range(number)]
    for connection in connections:
        if logged == "logged":
            await connection.execute("SET log_min_duration_statement = 0")
        await connection.prepare(claim()[0])
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = await asyncio.gather(*(_claimed(connection, pause) for connection in connections))
    seconds = [one for took, _ in found for one in took]
    print(json.dumps([seconds, [one for _, ids in found for one in ids]]))
    for connection in connections:
        await connection.close()


async def _claimed(connection: asyncpg.Connection, pause: float) -> tuple[list[float], list[int]]:
    seconds: list[float] = []
    ids: list[int] = []
    await asyncio.sleep(pause * random.random())  # workers do not look all at one moment
    while True:
        sql, values = claim()
        began = time.perf_counter()
        rows = await connection.fetch(sql, *values)
        seconds.append(time.perf_counter() - began)
        if not rows:
            return seconds, ids
        ids += [row["id"] for row in rows]
        await asyncio.sleep(pause)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
