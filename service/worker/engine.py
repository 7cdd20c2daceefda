"""Queue engine on PgQueuer; no other module knows it.

Tasks are enqueued in the caller's transaction, so that they exist exactly when
the rows they belong to do. An `Engine` runs the handlers of this process, one
queue manager for each kind of task, because PgQueuer's own limits for a kind
hold for the fleet and ours are for the process.

What PgQueuer does to its users, and what is done about it here:

* An enqueue on the raw driver connection escapes SQLAlchemy's lazily begun
  transaction; `TransactionDriver` goes through the SQLAlchemy connection.
* A cancelled asyncio task is deleted from the queue as "canceled". Handlers run
  in a task of their own; when a drain runs out of time *that* is cancelled, and
  PgQueuer is told to queue the row again. If PgQueuer's own is, by a stop by
  force, it ends as `LeaseLost`.
* Its limit for a process is two tasks at least; `_in_slot` keeps a limit of one.
* What it cannot make sense of it would park as failed; `_decoded` reads all.
* A retry that cannot be written is turned into a deletion. `RetryingQueries` raises
  `LeaseLost` then: PgQueuer writes nothing, the lease lapses, the task runs again.
* It ends with the first query that fails, and then waits for all that is in work
  before it can be begun anew. `RetryingQueries` asks again until the database answers.
* A listener that was lost stays lost; ours (`db.notifications`) comes back.
* It renews leases late, and works on when it cannot; see `leases`.
* Cancelling many tasks by id overflows NOTIFY; cancelling is `cancel_job` in SQL.
* Owners are not fenced: `queries` does that in the queue, the stores in our tables.
* Crashes are not counted: see `runner`.
* It looks for work whatever is announced, also that a task has ended: `gives_work`.
* It counts expired leases of its own against its limit, and would never claim again after an
  outage that found it full: `queries` counts those that it still holds.
* It ranks tasks of expired leases among those that nobody has begun: `queries` puts them first.
* Its names may be changed by common environment variables such as `CHANNEL`;
  they are fixed there.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import inf
from typing import Any, cast
from uuid import UUID, uuid4

import structlog
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.buffers import HeartbeatBuffer, JobStatusLogBuffer
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import PgqException, RetryRequested
from pgqueuer.domain.models import Job as QueueRow
from pgqueuer.domain.types import QueueManagerId
from pgqueuer.ports.driver import Driver, NotifyCallback
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.notifications import listen
from service.domain.errors import DatabaseUnavailable
from service.domain.outcomes import Outcome, Retry, Snooze
from service.domain.tracing import trace_headers
from service.worker.connections import RetryingDriver, TransactionDriver, gives_work, wait_for
from service.worker.leases import LeaseLost, Leases
from service.worker.queries import CHANNEL, RetryingQueries, builders
from service.worker.spans import task_span
from service.worker.task import Handler, Kind, Task

UNKNOWN_VERSION_DELAY = timedelta(seconds=30)  # another replica may be newer than this one
RESTART_SECONDS = 2.0
PURGED_AT_ONCE = 10_000  # after a rest there may be millions
LISTENER_NAME = "arxiv-ingestion listen"

_log = structlog.get_logger(__name__)


async def enqueue(conn: AsyncConnection, tasks: Sequence[Task]) -> int:
    """Queue `tasks` in the transaction of `conn`; returns how many were not waiting already."""
    if not tasks:
        return 0
    trace = trace_headers()
    ids = await Queries(cast(Driver, TransactionDriver(conn)), **builders()).enqueue(
        [task.kind for task in tasks],
        [json.dumps({"v": task.version, **task.payload}).encode() for task in tasks],
        [task.priority for task in tasks],
        [task.delay for task in tasks],
        [f"{task.kind}:{task.job_id}:{task.key}" for task in tasks],
        [{"job": str(task.job_id), **trace} for task in tasks],
        on_conflict="skip",
    )
    return sum(queue_id is not None for queue_id in ids)


async def purge_log(conn: AsyncConnection, *, older_than: timedelta) -> int:
    """Delete the oldest log rows of tasks before that time; returns how many rows."""
    sql = (
        "DELETE FROM pgqueuer_log WHERE id IN (SELECT id FROM pgqueuer_log"
        " WHERE created < now() - $1::interval ORDER BY created LIMIT $2 FOR UPDATE SKIP LOCKED)"
    )
    return (await conn.exec_driver_sql(sql, (older_than, PURGED_AT_ONCE))).rowcount


@dataclass(slots=True)
class Engine:
    """Runs the tasks of `kinds` on this process until it is drained.

    `lease`: a worker without renewal for that long has lost its tasks. `poll`: how often
    it looks for work without being notified; together they bound a takeover.
    `listen_url`: where notifications come from; without it polling has to do.
    """

    database: Database
    kinds: Sequence[Kind]
    lease: timedelta
    poll: timedelta
    listen_url: str | None = None
    _runs: Leases = field(init=False)
    _managers: list[QueueManager] = field(default_factory=list)
    _heard_by: set[NotifyCallback] = field(default_factory=set)
    _draining: asyncio.Event = field(default_factory=asyncio.Event)
    _releasing: bool = False
    _claimed_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Nothing is in work yet."""
        self._runs = Leases(self.lease)

    async def run(self) -> None:
        """Work until `stop_taking` is called and what was in work has ended."""
        logging.getLogger("pgqueuer").addFilter(_is_news)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._runs.stop_lapsing(), name="leases")]
            if self.listen_url is not None:
                hearing = listen(
                    self.listen_url,
                    CHANNEL,
                    self._heard,
                    name=LISTENER_NAME,
                    outages=self.database.outages,
                )
                beside.append(group.create_task(hearing, name="notifications"))
            async with asyncio.TaskGroup() as managers:
                for kind in self.kinds:
                    managers.create_task(self._keep_running(kind), name=f"queue {kind.name}")
            for task in beside:
                task.cancel()

    def stop_taking(self) -> None:
        """Take no new tasks; those in work go on."""
        self._draining.set()
        for manager in self._managers:
            manager.shutdown.set()

    def release(self) -> None:
        """Cancel what is still in work and queue it again, for others or for later."""
        self._releasing = True
        self._runs.cancel_all()

    @property
    def is_taking(self) -> bool:
        """False once `stop_taking` was called."""
        return not self._draining.is_set()

    def claimed_at(self, kind: Kind) -> float:
        """When this process last claimed a task of `kind` (loop time); before: -inf."""
        return self._claimed_at.get(kind.name, -inf)

    def count_in_work(self, kind: Kind | None = None) -> int:
        """How many tasks this process has in work, of `kind` or of all."""
        return self._runs.count(None if kind is None else kind.name)

    def running_jobs(self) -> set[UUID]:
        """Jobs that a task of this process is working for."""
        kinds = {kind.name for kind in self.kinds if kind.is_for_jobs}
        return self._runs.jobs(kinds)

    def cancel_job(self, job_id: UUID) -> None:
        """Stop this process's tasks of a job, for good."""
        self._runs.cancel_job(job_id)

    def _heard(self, payload: str) -> None:
        for callback in self._heard_by if gives_work(payload) else ():
            callback(payload)

    async def _keep_running(self, kind: Kind) -> None:
        while not self._draining.is_set():
            try:
                await self._run_manager(kind)
            except (DatabaseUnavailable, SQLAlchemyError, PgqException, RuntimeError) as err:
                _log.warning("queue consumer ended", kind=kind.name, error=type(err).__name__)
                await wait_for(self._draining, RESTART_SECONDS)

    async def _run_manager(self, kind: Kind) -> None:
        driver = RetryingDriver(self.database, self._draining, self._heard_by)
        owner = QueueManagerId(uuid4())
        queries = RetryingQueries(
            cast(Driver, driver),
            runs=self._runs,
            on_claim=partial(self._claimed_at.__setitem__, kind.name),
            **builders(owner, self._runs),
        )
        manager = _Manager(queries, channel=CHANNEL)
        manager.queue_manager_id = owner
        slots = asyncio.Semaphore(kind.concurrency)

        @manager.entrypoint(
            kind.name,
            concurrency_limit=kind.fleet_concurrency,
            accepts_context=False,
            on_failure="hold",
        )
        async def run(row: QueueRow) -> None:
            try:
                await self._execute(kind, row, slots)
            finally:
                self._runs.forget(row.id)

        self._managers.append(manager)
        try:
            await manager.run(
                dequeue_timeout=self.poll,
                batch_size=max(1, kind.concurrency // 2),
                max_concurrent_tasks=max(2, kind.concurrency),
                heartbeat_timeout=self.lease,
                log_aggregation_interval=timedelta(0),
            )
        finally:
            self._managers.remove(manager)

    async def _execute(self, kind: Kind, row: QueueRow, slots: asyncio.Semaphore) -> None:
        if self._releasing:  # taken while the drain was already giving everything back
            raise RetryRequested(timedelta(0), "draining")
        task = _decoded(row, kind.versions)
        if task is None:
            raise RetryRequested(UNKNOWN_VERSION_DELAY, "payload of another version")
        job_id, payload = task
        if row.headers and "reclaimed" in row.headers:  # see `queries`
            facts = {"arxiv_id": payload["paper"]} if "paper" in payload else {}
            _log.warning("task reclaimed", kind=kind.name, job_id=str(job_id), **facts)
        with task_span(kind.name, row.id, job_id, payload, row.headers) as told:
            work = asyncio.ensure_future(_in_slot(slots, kind.handler, job_id, payload))
            with self._runs.begun(row.id, kind.name, job_id, work) as run:
                outcome = await run.outcome()
            told(outcome)
        if isinstance(outcome, Retry | Snooze):
            raise RetryRequested(outcome.delay, type(outcome).__name__.lower())


def _is_news(record: logging.LogRecord) -> bool:
    """False for a task that was left to its lease, and for an outage: both are logged elsewhere."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, LeaseLost | DatabaseUnavailable)


class _Manager(QueueManager):
    """PgQueuer's manager, renewing twice as often, and leaving the listener to look after itself.

    By itself it renews after 0.65 of a lease at worst, which leaves no time to stop.
    """

    async def _dispatch(
        self,
        job: QueueRow,
        jbuff: JobStatusLogBuffer,
        hbuff: HeartbeatBuffer,
        heartbeat_timeout: timedelta,
    ) -> None:
        await super()._dispatch(job, jbuff, hbuff, heartbeat_timeout / 2)

    async def _run_periodic_health_check(self, interval: timedelta = timedelta(0)) -> None:
        pass


async def _in_slot(
    slots: asyncio.Semaphore, handler: Handler, job_id: UUID, payload: Mapping[str, Any]
) -> Outcome:
    """Run `handler` when it is its turn: PgQueuer takes two tasks where one is allowed."""
    async with slots:
        return await handler(job_id, payload)


def _decoded(row: QueueRow, versions: Sequence[int]) -> tuple[UUID, Mapping[str, Any]] | None:
    """Job and payload; None for what another version of this service has queued."""
    try:
        payload = json.loads(row.payload or b"")
        if payload["v"] not in versions:
            return None
        return UUID(str((row.headers or {})["job"])), payload
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
