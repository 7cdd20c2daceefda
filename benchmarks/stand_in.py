"""What benches of the whole work share: a database, a stand-in arXiv, and workers on both."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.servers import START_SECONDS, running
from service.db import migrate
from service.db.addresses import libpq_url
from service.db.engine import Database, create_engine
from service.devtools.embedded_postgres import EmbeddedPostgres

EMPTY = (
    "TRUNCATE jobs, papers, paper_texts, documents, job_papers, job_errors, schedules,"
    " pgqueuer, pgqueuer_log, pgqueuer_statistics CASCADE"
)


class Wrong(Exception):
    """What came of a bench's work is not what it has to be."""


@dataclass(frozen=True, slots=True)
class Site:
    """A database at the newest schema, and a stand-in beside it, for as long as a bench runs."""

    folder: Path
    url: str
    upstream: Mapping[str, str]  # the variables that lead to the stand-in
    server: psutil.Process  # PostgreSQL's

    @contextmanager
    def workers(self, number: int, **changes: str) -> Iterator[list[psutil.Process]]:
        """So many `python -m service worker`, on the database and the storage folder of all."""
        environment = {
            "DATABASE_URL": self.url,
            "DATA_DIR": str(self.folder),
            "JWT_SECRET": "only workers run here, and they take no tokens",
            "ARXIV_MIN_INTERVAL_SECONDS": "0.1",
            "ARXIV_PDF_PER_SECOND": "100000",
            "LOG_LEVEL": "WARNING",
            **self.upstream,
            **changes,
        }
        command = [sys.executable, "-m", "service", "worker"]
        with ExitStack() as stack:
            logs = [self.folder / f"worker-{index}.log" for index in range(number)]
            yield [
                psutil.Process(
                    stack.enter_context(running(command, log=log, environment=environment))
                )
                for log in logs
            ]

    async def run(self, work: Callable[[Database, asyncpg.Connection], Awaitable[Any]]) -> Any:
        """Do `work` with a pool, and a connection beside it."""
        engine = create_engine(self.url, name="bench", pool_size=4)
        connection = await asyncpg.connect(libpq_url(self.url))
        try:
            return await work(Database(engine, deadline_seconds=60), connection)
        finally:
            await connection.close()
            await engine.dispose()


@contextmanager
def site(folder: Path, *options: str) -> Iterator[Site]:
    """A new database under `folder`, and a stand-in with these `options` of `replica`."""
    postgres = EmbeddedPostgres.under(folder)
    postgres.start()
    log = folder / "replica.log"
    command = [sys.executable, "-m", "service", "replica", "--port", "0", "--json", *options]
    try:
        with running(command, log=log, environment={}):
            urls = _announced(log)
            upstream = {name: url for name, url in urls.items() if name != "url"}
            postmaster = (folder / "postgres/data/postmaster.pid").read_text().split()[0]
            made = Site(folder, postgres.url, upstream, psutil.Process(int(postmaster)))
            asyncio.run(made.run(_migrate))
            yield made
    finally:
        postgres.stop()


async def _migrate(database: Database, _: asyncpg.Connection) -> None:
    await migrate.upgrade(database.engine)


def _announced(log: Path) -> dict[str, str]:
    """The stand-in's first line; raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        line, end, _ = log.read_text().partition("\n")
        if end:
            urls: dict[str, str] = json.loads(line)
            return urls
        time.sleep(0.1)
    raise TimeoutError("the stand-in did not start")


def load() -> str:
    """How busy the machine is, to be printed with figures that depend on it."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
