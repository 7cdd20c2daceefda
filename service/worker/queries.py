"""PgQueuer's SQL, adapted: fixed names, expired leases first, fenced writes, retry.

Also fenced: PgQueuer writes to a task by its number alone, so a worker that was
stopped for longer than its lease would put off, queue again or delete the task
of whoever took it over. Here each of its writes is for rows that still are its own.

Part of `engine`: nothing else needs to know of it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

import structlog
from pgqueuer.adapters.persistence.composer import ComposedQuery
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueueRow
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel, JobId
from sqlalchemy.exc import SQLAlchemyError

from service.domain.errors import DatabaseUnavailable
from service.worker.connections import RetryingDriver
from service.worker.leases import LeaseLost, Leases
from service.worker.task import PRIORITY_LEVEL, PUT_OFF

CHANNEL = Channel("ch_pgqueuer")
RETRY_WRITES = 3

# In its claim PgQueuer merges the two by priority: (its text, ours).
_OF_THE_DEAD = ("SELECT stale.id, stale.priority", f"SELECT stale.id, {2**31 - 1} AS priority")

# Its claim counts what the claiming manager has in work, to stay below what that may have at once.
# Rows whose lease has lapsed it counts too, also its own: after an outage that outlived the leases
# of a full worker it would never claim again. (its text, ours)
_IN_WORK = (
    "WHERE queue_manager_id = $3\n",
    "WHERE queue_manager_id = $3 AND heartbeat >= NOW() - $4::interval\n",
)

# What is in work here still, though its lease has lapsed, is not for this manager to claim: it
# would drop the row, whose lease somebody must let lapse once more. (its text, ours)
_LAPSED = (
    "AND stale.heartbeat < NOW() - $4::interval\n",
    "AND stale.heartbeat < NOW() - $4::interval AND stale.id <> ALL(${}::bigint[])\n",
)

# Part of all that it writes to a task: (its text, ours). So written no index serves it: the
# task's number finds the row, the one of owners is full of rows that have gone.
_TO_A_TASK = ("WHERE id = ", "WHERE queue_manager_id IS NOT DISTINCT FROM '{}'::uuid AND id = ")

# Part of queueing a task again: (its text, ours).
_PUT_OFF = (
    "attempts = attempts + 1,",
    "attempts = attempts + 1, priority ="
    f" CASE WHEN $2::interval > '0' THEN greatest(priority - {PUT_OFF}, priority"
    f" - priority % {PRIORITY_LEVEL}) ELSE priority END,",
)

# The claim of a task whose lease has expired leaves a mark on it, which its next claim removes.
# The text appears in both shapes of PgQueuer's claim. (its text, ours)
_RECLAIMED = (
    "updated   = NOW(),",
    "updated   = NOW(), headers = CASE WHEN status = 'picked' THEN coalesce(headers, '{}')"
    """ || '{"reclaimed": true}' ELSE headers - 'reclaimed' END,""",
)

NOBODY = UUID(int=0)

_log = structlog.get_logger(__name__)


def builders(owner: UUID = NOBODY, runs: Leases | None = None) -> dict[str, Any]:
    """The makers of PgQueuer's statements, as keyword arguments of its `Queries`.

    `owner`: the queue manager that they are for, and `runs` what is in work in its process;
    whoever only queues is nobody and has nothing.
    """
    # Every name is given: left to itself PgQueuer reads them from the environment.
    settings = DBSettings(
        prefix="",
        db_schema=None,
        channel=CHANNEL,
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
    return {
        "qbe": QueryBuilderEnvironment(settings),
        "qbq": _Statements(settings, owner=owner, runs=runs),
    }


@dataclass
class _Statements(QueryQueueBuilder):
    """PgQueuer's statements, but expired leases are claimed first, and writes are fenced.

    What a manager may have at once is counted by leases that it still holds.

    Left to their priority, tasks whose worker stopped renewing its lease would wait behind every
    task that became due meanwhile, and how long a takeover takes would depend on
    how much there is to do.

    Each raises RuntimeError if PgQueuer's is not the one this was written for.
    """

    owner: UUID = field(kw_only=True)
    runs: Leases | None = field(kw_only=True)

    def build_dequeue_query(self, **values: Any) -> ComposedQuery:  # noqa: ANN401 - PgQueuer's
        """The claim."""
        claim = super().build_dequeue_query(**values)
        its, ours = _LAPSED
        sql = _replaced(claim.sql, *_OF_THE_DEAD)
        sql = _replaced(sql, *_IN_WORK)
        sql = _replaced(sql, *_RECLAIMED)
        sql = _replaced(sql, its, ours.format(len(claim.args) + 1))
        in_work = [] if self.runs is None else self.runs.claimed_numbers()
        return ComposedQuery(sql, (*claim.args, in_work))

    def build_update_heartbeat_query(self) -> str:
        """Renews the leases of tasks."""
        return self._fenced(super().build_update_heartbeat_query())

    def build_retry_job_query(self) -> str:
        """Queues a task again: one that is put off, behind others of its level."""
        return _replaced(self._fenced(super().build_retry_job_query()), *_PUT_OFF)

    def build_log_job_query(self) -> str:
        """Takes tasks off the queue, or parks them there: two writes."""
        return self._fenced(super().build_log_job_query(), times=2)

    def _fenced(self, sql: str, *, times: int = 1) -> str:
        its, ours = _TO_A_TASK
        return _replaced(sql, its, ours.format(self.owner), times=times)


def _replaced(sql: str, its: str, ours: str, *, times: int = 1) -> str:
    if sql.count(its) != times:
        raise RuntimeError("a statement of this PgQueuer is unknown")
    return sql.replace(its, ours)


@dataclass
class RetryingQueries(Queries):
    """PgQueuer's queries, on a database that may be unavailable, and with an eye on the leases."""

    runs: Leases = field(kw_only=True)
    on_claim: Callable[[float], None] = field(kw_only=True)  # is given the loop time

    async def dequeue(self, *args: Any, **values: Any) -> list[QueueRow]:  # noqa: ANN401 - PgQueuer's
        """Claim tasks, and note from when on they are ours."""
        rows = await super().dequeue(*args, **values)
        self.runs.claimed([row.id for row in rows], at=self._driver.asked_at)
        if rows:
            self.on_claim(self._driver.asked_at)
        return rows

    async def update_heartbeat(self, job_ids: list[JobId]) -> None:
        """Renew the leases of tasks that are in work and not lost."""
        held, now = self.runs.held(job_ids), asyncio.get_running_loop().time()
        if held:
            await super().update_heartbeat([JobId(number) for number in held])
            self.runs.renewed(held, at=now)

    async def log_jobs(self, job_status: Any) -> None:  # noqa: ANN401 - PgQueuer's
        """Take ended tasks off the queue, unless others have them now and will do the same."""
        await self._driver.with_retry(partial(super().log_jobs, job_status))

    async def retry_job(
        self, job: QueueRow, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Queue the row again; raises LeaseLost when that cannot be written."""
        write = partial(super().retry_job, job, delay, traceback_record)
        try:
            await self._driver.with_retry(write, most=RETRY_WRITES)
        except (DatabaseUnavailable, SQLAlchemyError) as err:
            _log.warning(
                "result not recorded, lease will expire",
                kind=job.entrypoint,
                error=type(err).__name__,
            )
            raise LeaseLost from err

    @property
    def _driver(self) -> RetryingDriver:
        return cast(RetryingDriver, self.driver)
