"""The timeline of one job in SQL: its events in pages, and its throughput."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Interval, Row, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.job_event_tables import job_events, job_intervals
from service.db.tables import jobs
from service.domain.channels import WaitReason
from service.domain.errors import NotFound
from service.domain.job_events import JobEvent, JobEventKind, Throughput, ThroughputPoint
from service.domain.jobs import JobStatus
from service.domain.webhooks import DeliveryStatus

MAX_POINTS = 360
# Each a multiple of the one before. The trigger's own are among them, and with so many points
# none is chosen that is shorter than what a job of that age is recorded in.
INTERVALS = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 600, 3_600, 21_600, 86_400, 604_800)
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: DateTime = DateTime(timezone=True)


class JobEventStore:
    """Reading `job_events` and `job_intervals`; the transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_page(self, job_id: UUID, *, limit: int, after: int = 0) -> Sequence[JobEvent]:
        """Events of a job in their order, behind that of the id `after`."""
        statement = (
            select(job_events)
            .where(job_events.c.job_id == job_id, job_events.c.id > after)
            .order_by(job_events.c.job_id, job_events.c.id)
            .limit(limit)
        )
        return [_event(row) for row in (await self._conn.execute(statement)).all()]

    async def throughput(self, job_id: UUID) -> Throughput:
        """What the job did in each interval since its start; raises NotFound.

        The intervals are as short as `MAX_POINTS` allow; the last one of a job that runs
        has not ended.
        """
        first, last = await self._span(job_id)
        interval = interval_of(last - first)
        found = await self._sums(job_id, interval)
        points = []
        for at in _without_gaps(first, last, interval) if found else ():
            papers, pdfs = found.get(at, (0, 0))
            points.append(ThroughputPoint(at=at, papers=papers, pdfs=pdfs))
        return Throughput(interval_seconds=int(interval.total_seconds()), points=points)

    async def _span(self, job_id: UUID) -> tuple[datetime, datetime]:
        """When the job started (or was created), and when it last did something: now, if it runs.

        No recorded interval begins later or earlier, whatever somebody wrote into the row.
        """
        of_job = job_intervals.c.job_id == job_id
        earliest = select(func.min(job_intervals.c.at)).where(of_job).scalar_subquery()
        latest = select(func.max(job_intervals.c.at)).where(of_job).scalar_subquery()
        started = func.readable_moment(func.coalesce(jobs.c.started_at, jobs.c.created_at))
        ended = func.least(func.readable_moment(jobs.c.completed_at), func.now())
        statement = select(
            func.least(started, earliest, func.now()).label("first"),
            func.greatest(ended, latest, func.least(started, func.now())).label("last"),
        ).where(jobs.c.id == job_id)
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:
            raise NotFound("Job not found", code="job_not_found")
        return row.first, row.last

    async def _sums(self, job_id: UUID, interval: timedelta) -> dict[datetime, tuple[int, int]]:
        """Papers and PDFs by the begin of each interval in which there were any."""
        begin = func.date_bin(
            literal(interval, Interval()), job_intervals.c.at, literal(_EPOCH, _MOMENT)
        )
        sums = (func.sum(job_intervals.c.papers), func.sum(job_intervals.c.pdfs))
        statement = select(begin, *sums).where(job_intervals.c.job_id == job_id).group_by(begin)
        rows = (await self._conn.execute(statement)).all()
        return {at.astimezone(UTC): (papers, pdfs) for at, papers, pdfs in rows}


def interval_of(span: timedelta) -> timedelta:
    """The shortest interval of which `MAX_POINTS` cover `span`; beyond the longest: of weeks."""
    covers = MAX_POINTS - 1  # the first and the last are covered in part
    week = INTERVALS[-1]
    weeks = -(-span // (week * covers)) * week
    return next((one for one in INTERVALS if span <= one * covers), weeks)


def _without_gaps(first: datetime, last: datetime, interval: timedelta) -> list[datetime]:
    """The begins of all intervals from that which holds `first` to that which holds `last`."""
    begin = _EPOCH + (first - _EPOCH) // interval * interval
    return [begin + n * interval for n in range((last - begin) // interval + 1)]


def _event(row: Row[Any]) -> JobEvent:
    kind = JobEventKind(row.event)
    statuses = JobStatus if kind is JobEventKind.FINISHED else DeliveryStatus
    return JobEvent(
        id=row.id,
        at=row.at,
        kind=kind,
        number=row.number,
        times=row.times,
        ended_at=row.ended_at,
        papers_fetched=row.papers_fetched,
        reason=None if row.reason is None else WaitReason(row.reason),
        status=None if row.status is None else statuses(row.status),
        webhook_id=row.webhook_id,
        attempt=row.attempt,
        http_status=row.http_status,
        error=row.error,
    )
