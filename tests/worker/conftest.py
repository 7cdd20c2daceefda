"""A real queue: jobs and tasks in PostgreSQL, engines that run them in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service.db.engine import Database, create_engine
from service.domain.outcomes import Outcome, Succeed
from service.worker.engine import Engine, enqueue
from service.worker.task import Handler, Kind, Task

Sql = Callable[..., Awaitable[list[Any]]]
Queue = Callable[..., Awaitable[int]]
STATES = "SELECT status::text, execute_after <= now() FROM pgqueuer"


@pytest.fixture
def add_job(sql: Sql) -> Callable[..., Awaitable[UUID]]:
    async def add_job(status: str = "running") -> UUID:
        ((job_id,),) = await sql(f"INSERT INTO jobs (status) VALUES ('{status}') RETURNING id")
        return job_id

    return add_job


@pytest.fixture
async def job_id(add_job: Callable[..., Awaitable[UUID]]) -> UUID:
    return await add_job()


def tasks(job_id: UUID, keys: range, **values: Any) -> list[Task]:
    """Tasks of one kind, told apart by number."""
    return [Task(kind="test", job_id=job_id, key=str(n), payload={}, **values) for n in keys]


@pytest.fixture
def queue(database: Database) -> Queue:
    """Queue tasks in a transaction of their own; returns how many were new."""

    async def queue(new: list[Task]) -> int:
        async with database.transaction() as conn:
            return await enqueue(conn, new)

    return queue


@dataclass
class Leases:
    """A handler that notes its runs and, if told so, waits to be let go."""

    outcome: Outcome = field(default_factory=Succeed)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Queue[UUID] = field(default_factory=asyncio.Queue)
    count: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, job_id: UUID, _: Mapping[str, Any]) -> Outcome:
        self.count += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.began.put_nowait(job_id)
        try:
            await self.free.wait()
        finally:
            self.at_once -= 1
        return self.outcome

    async def begun(self, seconds: float = 60) -> UUID:
        """The job of the next run that begins."""
        async with asyncio.timeout(seconds):
            return await self.began.get()


@pytest.fixture
def runs() -> Leases:
    runs = Leases()
    runs.free.set()
    return runs


@pytest.fixture
async def queue_database(database: Database, database_url: str) -> AsyncIterator[Database]:
    """The queue's own pool, whose backends a test may end."""
    engine = create_engine(database_url, name="arxiv-ingestion queue", pool_size=4)
    yield Database(engine, deadline_seconds=5)
    await engine.dispose()


@pytest.fixture
def engine(queue_database: Database, database_url: str) -> Callable[..., Engine]:
    """An engine with one kind of task; poll and lease in seconds."""

    def engine(
        handler: Handler,
        *,
        lease: float = 15,
        poll: float = 0.5,
        concurrency: int = 8,
        fleet_concurrency: int = 0,
    ) -> Engine:
        kind = Kind(
            name="test",
            handler=handler,
            concurrency=concurrency,
            fleet_concurrency=fleet_concurrency,
        )
        return Engine(
            database=queue_database,
            listen_url=database_url,
            kinds=[kind],
            lease=timedelta(seconds=lease),
            poll=timedelta(seconds=poll),
        )

    return engine


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[asyncio.Task[None]]:
    """The engine at work; what is still in work at the end is released."""
    task = asyncio.create_task(engine.run())
    try:
        yield task
    finally:
        if not task.done():
            await drained(engine, task)


async def drained(engine: Engine, task: asyncio.Task[None]) -> None:
    engine.stop_taking()
    engine.release()
    async with asyncio.timeout(60):
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return when `condition`, which only the database can tell, has come true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def gone(sql: Sql) -> bool:
    """No task is left."""
    return await sql(STATES) == []


async def none_in_work(runs) -> bool:
    return runs.at_once == 0
