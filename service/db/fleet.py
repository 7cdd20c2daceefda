"""Fleet overview in SQL: for metrics and for the operators' page.

Reads only, each by an index or over a table that stays small; totals are in `statistics.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Float, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rate_limits import REFUSALS
from service.db.rows import typed
from service.db.tables import coverage, fleet_counters, upstream_pace

_TASKS = text(
    "SELECT entrypoint AS kind, status::text AS status, count(*) AS tasks,"
    " min(created) AS oldest_at, max(heartbeat) AS heartbeat_at"
    " FROM pgqueuer GROUP BY entrypoint, status ORDER BY entrypoint, status"
)
_QUEUE = text(
    "SELECT entrypoint AS kind, count(*) FILTER (WHERE status = 'queued') AS queued,"
    " count(*) FILTER (WHERE status = 'picked') AS running,"
    " greatest(coalesce(extract(epoch FROM clock_timestamp()"
    " - min(execute_after) FILTER (WHERE status = 'queued')), 0), 0)::float8 AS oldest_due_seconds"
    " FROM pgqueuer GROUP BY entrypoint ORDER BY entrypoint"
)
_SINCE_ANSWER = func.extract("epoch", func.clock_timestamp() - upstream_pace.c.failing_since)
_OUTAGES = select(
    upstream_pace.c.channel.label("channel"),
    func.greatest(func.coalesce(cast(_SINCE_ANSWER, Float), 0.0), 0.0).label("seconds"),
).order_by(upstream_pace.c.channel)
_PROCESSES = text(
    "SELECT application_name AS name, host(client_addr) AS address, count(*) AS connections,"
    " min(backend_start) AS connected_at, max(state_change) AS active_at"
    " FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'arxiv-ingestion%'"
    " GROUP BY application_name, client_addr ORDER BY application_name, client_addr"
)
_JOBS = text(
    "SELECT id::text AS job_id, status, requested_by, percent::float8 AS percent, papers_fetched,"
    " papers_total, pdfs_processed, pdfs_pending, errors_total,"
    " papers_per_second::float8 AS papers_per_second, extract(epoch FROM eta)::float8 AS"
    " eta_seconds, extract(epoch FROM age)::float8 AS age_seconds, last_sign_of_life AS seen_at"
    " FROM job_overview WHERE id IN ("
    "(SELECT id FROM jobs WHERE status IN ('pending', 'running')"
    " ORDER BY created_at DESC, id DESC LIMIT :active)"
    " UNION (SELECT id FROM jobs ORDER BY id DESC LIMIT :latest))"
    " ORDER BY status = 'running' DESC, status = 'pending' DESC, id DESC"
)
_FAILING = text(
    "SELECT job_id::text AS job_id, arxiv_id, title, reason, attempts, error, failed_at"
    " FROM failing_papers LIMIT :limit"
)
_LARGEST = text(
    "SELECT s.relname AS name, pg_total_relation_size(s.relid) AS bytes, s.n_live_tup AS rows,"
    " s.n_dead_tup AS dead_rows, greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at"
    " FROM pg_stat_user_tables s WHERE s.schemaname = current_schema()"
    " ORDER BY bytes DESC, name LIMIT :limit"
)
_LATELY = 1_000  # papers that were stored last: no index knows the newest datestamp
_FRESHNESS = text(
    "SELECT max(stored_at) AS stored_at, max(datestamp) AS datestamp FROM"
    " (SELECT stored_at, datestamp FROM papers ORDER BY stored_at DESC LIMIT :most) AS latest"
)
_AUDITED_SETS = select(coverage.c.set).distinct().order_by(coverage.c.set)


@dataclass(frozen=True, slots=True)
class Freshness:
    """When a paper was last stored, and the newest of the datestamps that came lately."""

    stored_at: datetime | None
    datestamp: date | None


@dataclass(frozen=True, slots=True)
class Requests:
    """Slots given out on one channel to arXiv, ever, and refusals by HTTP status."""

    channel: str
    requests: int
    by_status: Mapping[str, int]


class TaskCount(NamedTuple):
    """Tasks of one kind and status: how many, since when, and when one was last heard of."""

    kind: str
    status: str
    tasks: int
    oldest_at: datetime
    heartbeat_at: datetime | None


class QueueDepth(NamedTuple):
    """Tasks of one kind; `oldest_due_seconds` is 0 where none is due."""

    kind: str
    queued: int
    running: int
    oldest_due_seconds: float


class ConnectedProcess(NamedTuple):
    """Who is connected to the database, by name and address."""

    name: str
    address: str | None
    connections: int
    connected_at: datetime
    active_at: datetime | None


class OverviewJob(NamedTuple):
    """A job as the view `job_overview` shows it; rates a second, times in seconds."""

    job_id: str
    status: str
    requested_by: str | None
    percent: float | None
    papers_fetched: int
    papers_total: int | None
    pdfs_processed: int
    pdfs_pending: int
    errors_total: int
    papers_per_second: float | None
    eta_seconds: float | None
    age_seconds: float
    seen_at: datetime


class FailedPaper(NamedTuple):
    """A paper as the view `failing_papers` shows it."""

    job_id: str
    arxiv_id: str
    title: str | None
    reason: str | None
    attempts: int
    error: str | None
    failed_at: datetime


class TableSize(NamedTuple):
    """A table: bytes with its indexes; `rows` and `dead_rows` are estimates."""

    name: str
    bytes: int
    rows: int
    dead_rows: int
    vacuumed_at: datetime | None


class FleetStore:
    """The state of all replicas, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_tasks(self) -> Sequence[TaskCount]:
        """Tasks by kind and status."""
        return typed(TaskCount, await self._conn.execute(_TASKS))

    async def list_queue(self) -> Sequence[QueueDepth]:
        """Tasks by kind."""
        return typed(QueueDepth, await self._conn.execute(_QUEUE))

    async def list_outages(self) -> list[tuple[str, float]]:
        """Per channel to arXiv: its name, and for how long it has not answered (0: it does)."""
        return [(row.channel, row.seconds) for row in await self._conn.execute(_OUTAGES)]

    async def list_processes(self) -> Sequence[ConnectedProcess]:
        """Who is connected."""
        return typed(ConnectedProcess, await self._conn.execute(_PROCESSES))

    async def list_jobs(self, *, active: int, latest: int) -> Sequence[OverviewJob]:
        """The newest active jobs and the newest of all, from `job_overview`; running ones first."""
        bounds = {"active": active, "latest": latest}
        return typed(OverviewJob, await self._conn.execute(_JOBS, bounds))

    async def list_failing(self, *, limit: int) -> Sequence[FailedPaper]:
        """The latest failed papers, from `failing_papers`."""
        return typed(FailedPaper, await self._conn.execute(_FAILING, {"limit": limit}))

    async def list_requests(self) -> list[Requests]:
        """Per channel to arXiv, by name."""
        counters = select(fleet_counters).where(fleet_counters.c.name.startswith(REFUSALS))
        counts = {row.name: row.value for row in await self._conn.execute(counters)}
        channels = select(upstream_pace.c.channel, upstream_pace.c.turns)
        rows = await self._conn.execute(channels.order_by(upstream_pace.c.channel))
        return [
            Requests(channel, turns, _of_channel(counts, f"{REFUSALS}{channel}."))
            for channel, turns in rows
        ]

    async def list_largest(self, *, limit: int) -> Sequence[TableSize]:
        """Tables by size."""
        return typed(TableSize, await self._conn.execute(_LARGEST, {"limit": limit}))

    async def size(self) -> int:
        """Bytes that the database takes on its server's disk."""
        statement = select(func.pg_database_size(func.current_database()))
        return int((await self._conn.execute(statement)).scalar_one())

    async def freshness(self) -> Freshness:
        """How new what is held is."""
        row = (await self._conn.execute(_FRESHNESS, {"most": _LATELY})).one()
        return Freshness(row.stored_at, row.datestamp)

    async def list_audited_sets(self) -> Sequence[str]:
        """Sets of arXiv that were ever audited; `''` is all of it."""
        return (await self._conn.execute(_AUDITED_SETS)).scalars().all()


def _of_channel(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): count
        for name, count in sorted(counts.items())
        if name.startswith(prefix)
    }
