"""Statistics in SQL: totals and throughput, at a cost that does not grow with the data.

Each figure is read from an index, and counted up to a bound only. Beyond that
the totals come from the planner's statistics, which autovacuum keeps; they are
marked as estimates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Integer,
    Interval,
    Select,
    bindparam,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import job_papers, jobs, papers
from service.domain.jobs import JobStatus
from service.domain.papers import PaperState, PdfState

COUNTED_EXACTLY = 10_000  # rows of one state: a few milliseconds
COUNTED_IN_A_WINDOW = 100_000  # papers or PDFs of one hour

_ESTIMATES = text(
    "SELECT v.value, (c.reltuples * v.frequency)::bigint AS rows"
    " FROM pg_stats s JOIN pg_class c ON c.oid = to_regclass(quote_ident(s.tablename)),"
    " unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (value, frequency)"
    " WHERE s.schemaname = current_schema() AND s.tablename = :table AND s.attname = :column"
)
_WAITING = text(
    "SELECT count(*) FROM (SELECT FROM pgqueuer WHERE status = 'queued' AND entrypoint = :kind"
    " AND priority BETWEEN :lowest AND :highest LIMIT :most) AS t"
)
_IN_WORK = text("SELECT count(*) FROM pgqueuer WHERE status = 'picked' AND entrypoint = :kind")


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows by state; `estimated` are the states that were not counted to the end."""

    counts: Mapping[str, int]
    estimated: frozenset[str]


class StatsStore:
    """Counts, on a connection whose transaction is the caller's and holds nothing else."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def begin(self) -> datetime:
        """Read by index only from now on, in this transaction; its moment.

        A planner that finds a state frequent would read the table up to the
        bound, and all of it where these rows lie at its end.
        """
        await self._conn.execute(text("SET LOCAL enable_seqscan TO off"))
        moment: datetime = (await self._conn.execute(select(func.now()))).scalar_one()
        return moment

    async def count_jobs(self) -> Totals:
        """Jobs by status."""
        return await self._totals(jobs.c.status, JobStatus)

    async def count_papers(self) -> Totals:
        """Papers by what is held of their PDFs."""
        return await self._totals(papers.c.pdf_state, PdfState)

    async def count_recent(self, window: timedelta) -> tuple[int, int]:
        """Papers written, and PDFs brought to text, within `window`; each up to the bound."""
        since = func.now() - literal(window, Interval())
        stored = select(literal(1)).where(papers.c.stored_at > since)
        processed = select(literal(1)).where(
            job_papers.c.state == PaperState.PROCESSED, job_papers.c.updated_at > since
        )
        counts = [_counted(one, COUNTED_IN_A_WINDOW) for one in (stored, processed)]
        written, read = (await self._conn.execute(select(*counts))).one()
        return written, read

    async def count_waiting(self, kind: str, *, lowest: int, highest: int) -> int:
        """Tasks of a kind in a range of priorities that nobody has taken, up to the bound."""
        bounds = {"lowest": lowest, "highest": highest, "most": COUNTED_EXACTLY}
        waiting: int = (await self._conn.execute(_WAITING, {"kind": kind, **bounds})).scalar_one()
        return waiting

    async def count_in_work(self, kind: str) -> int:
        """Tasks of a kind that a worker has taken."""
        in_work: int = (await self._conn.execute(_IN_WORK, {"kind": kind})).scalar_one()
        return in_work

    async def _totals(self, column: Column[Any], states: Iterable[str]) -> Totals:
        counted = [
            _counted(select(literal(1)).where(column == state), COUNTED_EXACTLY + 1).label(
                str(state)
            )
            for state in states
        ]
        counts = dict((await self._conn.execute(select(*counted))).one()._mapping)
        many = frozenset(name for name, count in counts.items() if count > COUNTED_EXACTLY)
        if many:
            where = {"table": column.table.name, "column": column.name}
            rows = (await self._conn.execute(_ESTIMATES, where)).all()
            estimates = {row.value: row.rows for row in rows if row.value in many}
            counts |= {name: max(counts[name], rows) for name, rows in estimates.items()}
        return Totals(counts, many)


def _counted(rows: Select[Any], most: int) -> Any:  # noqa: ANN401 - a scalar subquery
    bound = bindparam(None, most, type_=Integer())
    return select(func.count()).select_from(rows.limit(bound).subquery()).scalar_subquery()
