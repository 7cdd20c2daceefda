"""`python -m benchmarks.noop URL`: a queue engine whose tasks do nothing, until SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import uvloop

from service.db.engine import Database, create_engine
from service.domain.outcomes import Outcome, Succeed
from service.worker.engine import Engine
from service.worker.task import Kind

KIND = "noop"
CONCURRENCY = 50


async def main(url: str) -> None:
    """Work until told to stop."""
    database = Database(create_engine(url, name="bench noop", pool_size=4), deadline_seconds=30)
    kind = Kind(name=KIND, handler=_nothing, concurrency=CONCURRENCY)
    engine = Engine(
        database=database,
        listen_url=url,
        kinds=[kind],
        lease=timedelta(seconds=15),
        poll=timedelta(seconds=2),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop_taking)
    await engine.run()
    await database.close()


async def _nothing(_job_id: UUID, _payload: Mapping[str, Any]) -> Outcome:
    return Succeed()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
