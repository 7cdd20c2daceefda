"""Retries in SQL: the unfinished papers of a job, and the new job for them.

The job that is retried stays as it is, for it is finished; so is what is read of it here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, bindparam, func, or_, select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.job_papers import OPEN_STATES
from service.db.rows import first_of
from service.db.tables import job_papers, jobs
from service.domain.checkpoint import Checkpoint
from service.domain.errors import NotFound
from service.domain.jobs import ACTIVE_STATUSES
from service.domain.papers import HtmlState, PaperState

UNFINISHED = (PaperState.FAILED, *OPEN_STATES)
HTML_UNFINISHED = (HtmlState.FAILED, HtmlState.PENDING)


class RetriedJob(NamedTuple):
    """What a retry must know of the job; `unfinished` papers failed, or were open at its end."""

    status: str
    request: Mapping[str, Any]
    priority: str
    checkpoint: Mapping[str, Any] | None
    is_harvested: bool
    papers_total: int | None
    papers_fetched: int
    unfinished: int


class RetryStore:
    """SQL on jobs that are retried, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, job_id: UUID) -> RetriedJob:
        """The job, which is kept from being removed; raises NotFound."""
        is_unfinished = or_(
            job_papers.c.state.in_(UNFINISHED), job_papers.c.html_state.in_(HTML_UNFINISHED)
        )
        unfinished = (
            select(func.count())
            .where(job_papers.c.job_id == jobs.c.id, is_unfinished)
            .scalar_subquery()
        )
        statement: Select[Any] = select(
            jobs.c.status,
            jobs.c.request,
            jobs.c.priority,
            jobs.c.checkpoint,
            jobs.c.is_harvested,
            jobs.c.papers_total,
            jobs.c.papers_fetched,
            unfinished.label("unfinished"),
        ).where(jobs.c.id == job_id)
        statement = statement.with_for_update(of=jobs, read=True, key_share=True)
        row = first_of(RetriedJob, await self._conn.execute(statement))
        if row is None:
            raise NotFound("Job not found", code="job_not_found")
        return row

    async def find_active(self, job_id: UUID) -> UUID | None:
        """The job that is retrying this one now."""
        statement = select(jobs.c.id).where(
            jobs.c.retry_of == job_id, jobs.c.status.in_(ACTIVE_STATUSES)
        )
        return (await self._conn.execute(statement)).scalar_one_or_none()

    async def add(
        self,
        job_id: UUID,
        *,
        values: Mapping[str, Any],
        checkpoint: Checkpoint,
        caller: str,
        key: str | None,
    ) -> UUID | None:
        """Create a job that retries `job_id`, with these `values` of its row, from `checkpoint` on.

        None when that job is being retried already, or `caller` has a job under
        this idempotency key.
        """
        statement = (
            insert(jobs)
            .values(
                **values,
                checkpoint=checkpoint.dump(),
                requested_by=caller,
                idempotency_key=key,
                retry_of=job_id,
            )
            .on_conflict_do_nothing()
            .returning(jobs.c.id)
        )
        found: UUID | None = (await self._conn.execute(statement)).scalar_one_or_none()
        return found

    async def list_unfinished(self, retrying: UUID, *, after: str, limit: int) -> Sequence[str]:
        """Items that the job which `retrying` retries did not finish, in order, behind `after`.

        Each state is read from its own range of the index: among millions of
        papers that went well the others are found at once.
        """
        retried = select(jobs.c.retry_of).where(jobs.c.id == bindparam("retrying", retrying))
        ranges = [
            select(job_papers.c.item)
            .where(
                job_papers.c.job_id == retried.scalar_subquery(),
                is_in,
                job_papers.c.item > bindparam("after", after),
            )
            .order_by(job_papers.c.item)
            .limit(limit)
            .subquery()
            for is_in in (
                *(job_papers.c.state == state for state in UNFINISHED),
                *(job_papers.c.html_state == state for state in HTML_UNFINISHED),
            )
        ]
        found = union(*(select(one.c.item) for one in ranges)).subquery()
        statement = select(found.c.item).order_by(found.c.item).limit(limit)
        return (await self._conn.execute(statement)).scalars().all()
