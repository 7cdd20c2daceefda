"""What PgQueuer asks of the database: under fixed names, the dead's tasks first, and patiently.

Part of `engine`: nothing else needs to know of it.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast

from pgqueuer.adapters.persistence.composer import ComposedQuery
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueueRow
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel, JobId
from sqlalchemy.exc import SQLAlchemyError

from service.domain.errors import DatabaseAway
from service.worker.driver import PatientDriver
from service.worker.running import Abandoned, Runs

CHANNEL = Channel("ch_pgqueuer")
RETRY_WRITES = 3

# In its claim PgQueuer merges the two by priority: (its text, ours).
_OF_THE_DEAD = ("SELECT stale.id, stale.priority", f"SELECT stale.id, {2**31 - 1} AS priority")


def builders() -> dict[str, Any]:
    """The makers of PgQueuer's statements, as keyword arguments of its `Queries`."""
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
    return {"qbe": QueryBuilderEnvironment(settings), "qbq": _DeadFirst(settings)}


@dataclass
class _DeadFirst(QueryQueueBuilder):
    """PgQueuer's statements, but tasks whose worker fell silent are claimed before all others.

    Left to their priority they would wait behind every task that became due
    meanwhile, and how long a takeover takes would depend on how much there is to do.
    """

    def build_dequeue_query(self, **values: Any) -> ComposedQuery:  # noqa: ANN401 - PgQueuer's
        """The claim; raises RuntimeError if PgQueuer's is not the one this was written for."""
        claim = super().build_dequeue_query(**values)
        if claim.sql.count(_OF_THE_DEAD[0]) != 1:
            raise RuntimeError("the claim of this PgQueuer is unknown")
        return ComposedQuery(claim.sql.replace(*_OF_THE_DEAD), claim.args)


@dataclass
class PatientQueries(Queries):
    """PgQueuer's queries, on a database that may be away, and with an eye on the leases."""

    runs: Runs = field(kw_only=True)

    async def dequeue(self, *args: Any, **values: Any) -> list[QueueRow]:  # noqa: ANN401 - PgQueuer's
        """Claim tasks, and note from when on they are ours."""
        rows = await super().dequeue(*args, **values)
        self.runs.claimed([row.id for row in rows], at=self._driver.asked_at)
        return rows

    async def update_heartbeat(self, job_ids: list[JobId]) -> None:
        """Renew the leases of tasks that are still in work."""
        held, now = self.runs.held(job_ids), asyncio.get_running_loop().time()
        if held:
            await super().update_heartbeat([JobId(number) for number in held])
            self.runs.renewed(held, at=now)

    async def log_jobs(self, job_status: Any) -> None:  # noqa: ANN401 - PgQueuer's
        """Take ended tasks off the queue. The work is done: repeating this harms nothing."""
        await self._driver.patiently(partial(super().log_jobs, job_status))

    async def retry_job(
        self, job: QueueRow, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Queue the row again; raises Abandoned when that cannot be written."""
        write = partial(super().retry_job, job, delay, traceback_record)
        try:
            await self._driver.patiently(write, most=RETRY_WRITES)
        except (DatabaseAway, SQLAlchemyError) as err:
            raise Abandoned from err

    @property
    def _driver(self) -> PatientDriver:
        return cast(PatientDriver, self.driver)
