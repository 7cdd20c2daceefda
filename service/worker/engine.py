"""The queue engine: PgQueuer, and nothing outside this module knows it.

Tasks are enqueued in the caller's transaction, so that they exist exactly when
the rows they belong to do. An `Engine` runs the handlers of this process, one
queue manager for each kind of task, because PgQueuer's own limits for a kind
hold for the fleet and ours are for the process.

What PgQueuer does to its users, and what is done about it here:

* An enqueue on the raw driver connection escapes SQLAlchemy's lazily begun
  transaction; `_TransactionDriver` goes through the SQLAlchemy connection.
* A cancelled asyncio task is deleted from the queue as "canceled". Handlers run
  in a task of their own; when a drain runs out of time *that* is cancelled, and
  PgQueuer is told to queue the row again. If PgQueuer's own is, by a stop by
  force, it ends as `Abandoned`.
* Its limit for a process is two tasks at least; `_in_slot` keeps a limit of one.
* What it cannot make sense of it would park as failed; `_decoded` reads all.
* A retry that cannot be written is turned into a deletion. `_Queries` raises
  `Abandoned` then: PgQueuer writes nothing, the lease lapses, the task runs again.
* A listener that was lost stays lost; the manager is stopped and begun anew.
* Cancelling many tasks by id overflows NOTIFY; cancelling is `cancel_job` in SQL.
* Crashes are not counted and owners not fenced: see `boundary` and the stores.
* Its names may be changed by common environment variables such as `CHANNEL`;
  they are fixed here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import FailingListenerError, PgqException, RetryRequested
from pgqueuer.domain.models import HealthCheckEvent, TracebackRecord
from pgqueuer.domain.models import Job as QueueRow
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver
from sqlalchemy.ext.asyncio import AsyncConnection

from service.domain.outcome import Outcome, Retry, Snooze, Succeed

PAYLOAD_VERSION = 1
UNKNOWN_VERSION_DELAY = timedelta(seconds=30)  # another replica may be newer than this one
RESTART_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
POOL_SIZE = 4  # one listens; claims, heartbeats and results share the others
COMMAND_TIMEOUT_SECONDS = 10.0
CLOSE_SECONDS = 1.0  # a pool whose connections broke does not always close by itself
PROBE_TIMEOUT = timedelta(seconds=10)

_log = structlog.get_logger(__name__)


class Abandoned(BaseException):
    """Leave the task to its lease: whatever is written now may be wrong.

    No `Exception`, because PgQueuer deletes the row of a task that ends in one.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work. Among waiting tasks `key` is unique; a second one is not queued.

    `priority`: higher runs first, among equals the one queued first.
    """

    kind: str
    job_id: UUID
    key: str
    payload: Mapping[str, Any]
    priority: int = 0
    delay: timedelta | None = None


Handler = Callable[[UUID, Mapping[str, Any]], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one kind of task is called, what runs it, and how many at once in this process.

    The handler may be cancelled at any await, and must not raise otherwise.
    """

    name: str
    handler: Handler
    concurrency: int


async def enqueue(conn: AsyncConnection, tasks: Sequence[Task]) -> int:
    """Queue `tasks` in the transaction of `conn`; returns how many were not waiting already."""
    if not tasks:
        return 0
    ids = await Queries(cast(Driver, _TransactionDriver(conn)), **_builders()).enqueue(
        [task.kind for task in tasks],
        [json.dumps({"v": PAYLOAD_VERSION, **task.payload}).encode() for task in tasks],
        [task.priority for task in tasks],
        [task.delay for task in tasks],
        [f"{task.kind}:{task.job_id}:{task.key}" for task in tasks],
        [{"job": str(task.job_id)} for task in tasks],
        on_conflict="skip",
    )
    return sum(queue_id is not None for queue_id in ids)


async def purge_log(conn: AsyncConnection, *, older_than: timedelta) -> int:
    """Delete what the engine noted of tasks before that time; returns how many rows.

    PgQueuer keeps a row for each change of each task, for ever.
    """
    sql = "DELETE FROM pgqueuer_log WHERE created < now() - $1::interval"
    return (await conn.exec_driver_sql(sql, (older_than,))).rowcount


@dataclass(slots=True)
class _Running:
    job_id: UUID
    work: asyncio.Task[Outcome]
    is_cancelled: bool = False


@dataclass(slots=True)
class Engine:
    """Runs the tasks of `kinds` on this process until it is drained.

    `lease`: a worker silent for that long has lost its tasks. `poll`: how often
    it looks for work without being notified; together they bound a takeover.
    """

    dsn: str
    kinds: Sequence[Kind]
    lease: timedelta
    poll: timedelta
    _running: dict[int, _Running] = field(default_factory=dict)
    _managers: list[QueueManager] = field(default_factory=list)
    _draining: asyncio.Event = field(default_factory=asyncio.Event)
    _handing_back: bool = False

    async def run(self) -> None:
        """Work until `drain` is called and what was in work has ended."""
        async with asyncio.TaskGroup() as group:
            for kind in self.kinds:
                group.create_task(self._keep_running(kind), name=f"queue {kind.name}")

    def stop_taking(self) -> None:
        """Take no new tasks; those in work go on."""
        self._draining.set()
        for manager in self._managers:
            manager.shutdown.set()

    def hand_back(self) -> None:
        """Cancel what is still in work and queue it again, for others or for later."""
        self._handing_back = True
        for running in self._running.values():
            running.work.cancel()

    def running_jobs(self) -> set[UUID]:
        """Jobs that a task of this process is working for."""
        return {running.job_id for running in self._running.values()}

    def cancel_job(self, job_id: UUID) -> None:
        """Stop this process's tasks of a job, for good."""
        for running in self._running.values():
            if running.job_id == job_id:
                running.is_cancelled = True
                running.work.cancel()

    async def _keep_running(self, kind: Kind) -> None:
        failures = 0
        while not self._draining.is_set():
            try:
                await self._run_manager(kind)
                failures = 0
            except (asyncpg.PostgresError, asyncpg.InterfaceError, PgqException) as err:
                _log.warning("queue connection lost", kind=kind.name, error=type(err).__name__)
            except (OSError, TimeoutError, RuntimeError) as err:
                _log.warning("queue not reachable", kind=kind.name, error=type(err).__name__)
            if not self._draining.is_set():
                delay = RESTART_DELAYS_SECONDS[min(failures, len(RESTART_DELAYS_SECONDS) - 1)]
                failures += 1
                await _wait(self._draining, delay)

    async def _run_manager(self, kind: Kind) -> None:
        async with _pool(self.dsn) as pool:
            queries = _Queries(AsyncpgPoolDriver(pool), **_builders())
            manager = _Manager(queries, channel=Channel("ch_pgqueuer"))

            slots = asyncio.Semaphore(kind.concurrency)

            @manager.entrypoint(kind.name, accepts_context=False, on_failure="hold")
            async def run(row: QueueRow) -> None:
                await self._execute(kind, row, slots)

            self._managers.append(manager)
            try:
                if not self._draining.is_set():
                    await manager.run(
                        dequeue_timeout=self.poll,
                        batch_size=max(1, kind.concurrency // 2),
                        max_concurrent_tasks=max(2, kind.concurrency),
                        shutdown_on_listener_failure=True,
                        heartbeat_timeout=self.lease,
                        log_aggregation_interval=timedelta(0),
                    )
            finally:
                self._managers.remove(manager)

    async def _execute(self, kind: Kind, row: QueueRow, slots: asyncio.Semaphore) -> None:
        if self._handing_back:  # taken while the drain was already giving everything back
            raise RetryRequested(timedelta(0), "draining")
        task = _decoded(row)
        if task is None:
            raise RetryRequested(UNKNOWN_VERSION_DELAY, "payload of another version")
        job_id, payload = task
        work = asyncio.ensure_future(_in_slot(slots, kind.handler, job_id, payload))
        running = self._running[row.id] = _Running(job_id, work)
        try:
            outcome = await self._outcome(running)
        finally:
            del self._running[row.id]
        if isinstance(outcome, Retry | Snooze):
            raise RetryRequested(outcome.delay, type(outcome).__name__.lower())

    async def _outcome(self, running: _Running) -> Outcome:
        try:
            await asyncio.wait({running.work})
        except asyncio.CancelledError as err:  # a stop by force, which PgQueuer takes for unwanted
            running.work.cancel()
            raise Abandoned from err
        if running.work.cancelled():
            return Succeed() if running.is_cancelled else Snooze(timedelta(0))
        if (error := running.work.exception()) is not None:
            _log.error("task abandoned to its lease", job_id=str(running.job_id), exc_info=error)
            raise Abandoned from error
        return running.work.result()


class _Manager(QueueManager):
    """PgQueuer's manager, with a health check that a start does not fail.

    Its first probe may leave before LISTEN is in force and never come back, which
    would count as a lost listener ten seconds after each such start.
    """

    async def listener_healthy(self, timeout: timedelta = PROBE_TIMEOUT) -> HealthCheckEvent:
        """Probe the listener, twice if need be; raises FailingListenerError."""
        try:
            return await super().listener_healthy(timeout / 2)
        except FailingListenerError:
            return await super().listener_healthy(timeout / 2)


class _Queries(Queries):
    """PgQueuer's queries, with a retry that is written or leaves the row alone."""

    async def retry_job(
        self, job: QueueRow, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Queue the row again; raises Abandoned when that cannot be written."""
        try:
            await super().retry_job(job, delay, traceback_record)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as err:
            raise Abandoned from err


class _TransactionDriver:
    """PgQueuer's driver over an AsyncConnection: tasks commit with the rows they belong to."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of `query`."""
        return [dict(row) for row in (await self._conn.exec_driver_sql(query, args)).mappings()]

    async def execute(self, query: str, *args: object) -> str:
        """Run `query`."""
        return str((await self._conn.exec_driver_sql(query, args)).rowcount)


def _builders() -> dict[str, Any]:
    # Every name is given: left to itself PgQueuer reads them from the environment.
    settings = DBSettings(
        prefix="",
        db_schema=None,
        channel=Channel("ch_pgqueuer"),
        function="fn_pgqueuer_changed",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        trigger="tg_pgqueuer_changed",
        schedules_table="pgqueuer_schedules",
        durability=Durability.durable,
        widen_id=False,
    )
    return {"qbe": QueryBuilderEnvironment(settings), "qbq": QueryQueueBuilder(settings)}


async def _in_slot(
    slots: asyncio.Semaphore, handler: Handler, job_id: UUID, payload: Mapping[str, Any]
) -> Outcome:
    """Run `handler` when it is its turn: PgQueuer takes two tasks where one is allowed."""
    async with slots:
        return await handler(job_id, payload)


def _decoded(row: QueueRow) -> tuple[UUID, Mapping[str, Any]] | None:
    """Job and payload; None for what another version of this service has queued."""
    try:
        payload = json.loads(row.payload or b"")
        if payload["v"] != PAYLOAD_VERSION:
            return None
        return UUID(str((row.headers or {})["job"])), payload
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@asynccontextmanager
async def _pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await asyncpg.create_pool(
        dsn,
        min_size=2,
        max_size=POOL_SIZE,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={"application_name": "arxiv-ingestion queue", "timezone": "UTC"},
    )
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except (TimeoutError, asyncpg.InterfaceError, OSError):
            pool.terminate()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
