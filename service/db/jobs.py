"""Jobs in SQL: one method, one statement. Writes are guarded where they happen.

A status only leaves `pending` and `running`; a checkpoint only moves from the
value that was read. Who comes late changes nothing and is told so.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Float,
    Interval,
    Row,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.committed import note
from service.db.job_rows import JobState, job_rows, jobs_by_ids, to_job
from service.db.rows import first_of, typed
from service.db.tables import job_errors, jobs
from service.domain.channels import BOUNDED_WAITS, WaitReason
from service.domain.checkpoint import Checkpoint
from service.domain.errors import NotFound
from service.domain.jobs import (
    ACTIVE_STATUSES,
    EndedJob,
    IngestionRequest,
    Job,
    JobError,
    JobStatus,
)
from service.domain.measurements import Measurements

MOVING: Mapping[str, Any] = {"waiting_for": None, "waiting_since": None}


class OrphanedWork(NamedTuple):
    """Work that no task will do: of a paper, or (None) the harvest; `kind` is that of its task."""

    job_id: UUID
    arxiv_id: str | None
    kind: str


class HarvestStart(NamedTuple):
    """A job whose harvest begins or goes on.

    `harvest_starts` includes this one; `is_first`: nobody had taken the job up before;
    `waited`: see `waited_for_arxiv`.
    """

    request: Mapping[str, Any]
    priority: str
    checkpoint: Mapping[str, Any] | None
    papers_fetched: int
    harvest_attempts: int
    harvest_starts: int
    requested_by: str | None
    is_first: bool
    waited: timedelta


class JobStore:
    """All SQL on `jobs` and `job_errors`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(
        self,
        request: IngestionRequest,
        *,
        caller: str,
        key: str | None = None,
        schedule_id: UUID | None = None,
    ) -> Job | None:
        """Record a pending job; None when `caller` has one under this idempotency key already.

        `schedule_id`: the schedule that it is a run of.
        """
        statement = (
            pg_insert(jobs)
            .values(
                request=request.dump(),
                priority=request.priority,
                requested_by=caller,
                idempotency_key=key,
                schedule_id=schedule_id,
            )
            .on_conflict_do_nothing()
            .returning(jobs.c.id)
        )
        job_id = (await self._conn.execute(statement)).scalar_one_or_none()
        return None if job_id is None else await self.get(job_id)

    async def find_by_key(self, *, caller: str, key: str) -> Job | None:
        """The job that `caller` submitted under this idempotency key."""
        row = await self._first(
            job_rows().where(jobs.c.requested_by == caller, jobs.c.idempotency_key == key)
        )
        return None if row is None else to_job(row.state)

    async def get(self, job_id: UUID) -> Job:
        """The job with its latest errors; raises NotFound."""
        found = await self.get_many([job_id])
        if not found:
            raise NotFound("Job not found", code="job_not_found")
        return found[job_id]

    async def get_many(self, job_ids: Sequence[UUID]) -> dict[UUID, Job]:
        """The jobs that exist among `job_ids`, in one query."""
        rows = (await self._conn.execute(jobs_by_ids(), {"ids": list(job_ids)})).all()
        return {row.id: to_job(row.state) for row in rows}

    async def list_jobs(
        self,
        statuses: Sequence[JobStatus],
        *,
        limit: int,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[JobState]:
        """Jobs of these statuses, newest first, at most `limit`, from those older than `before`.

        They are not taken apart: a thousand with all their errors take most of a second.

        Each status is read from its own range of the index, so that a rare one
        is found at once among any number of others.
        """
        older: ColumnElement[bool] = true()
        if before is not None:
            key = tuple_(literal(before[0], DateTime(timezone=True)), literal(before[1], Uuid()))
            older = tuple_(jobs.c.created_at, jobs.c.id) < key
        newest = (jobs.c.created_at.desc(), jobs.c.id.desc())
        ranges = [
            select(jobs.c.id, jobs.c.created_at)
            .where(jobs.c.status == status, older)
            .order_by(*newest)
            .limit(limit)
            .subquery()
            for status in statuses
        ]
        merged = union_all(*(select(one) for one in ranges)).subquery()
        found = select(merged.c.id).order_by(merged.c.created_at.desc(), merged.c.id.desc())
        statement = job_rows().where(jobs.c.id.in_(found.limit(limit))).order_by(*newest)
        return [row.state for row in (await self._conn.execute(statement)).all()]

    async def requested_by(self, job_id: UUID) -> str | None:
        """The caller who submitted the job, None if nobody did (SQL); raises NotFound."""
        statement = select(jobs.c.requested_by).where(jobs.c.id == job_id)
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:
            raise NotFound("Job not found", code="job_not_found")
        owner: str | None = row.requested_by
        return owner

    async def cancel(self, job_id: UUID) -> str:
        """Cancel by the same function that operators call: see `cancel_job` in the migrations."""
        outcome: str = (await self._conn.execute(select(func.cancel_job(job_id)))).scalar_one()
        if outcome == JobStatus.CANCELLED:
            self._note_end(JobStatus.CANCELLED)
        return outcome

    async def final_among(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Those of `job_ids` that need no more work: final, or gone."""
        active = select(jobs.c.id).where(
            jobs.c.id == func.any(bindparam("ids", list(job_ids))),
            jobs.c.status.in_(ACTIVE_STATUSES),
        )
        return set(job_ids) - set((await self._conn.execute(active)).scalars())

    async def list_orphaned(self, *, limit: int) -> Sequence[OrphanedWork]:
        """Work of running jobs that no task will do."""
        statement = text("SELECT job_id, arxiv_id, kind FROM stranded_work LIMIT :limit")
        return typed(OrphanedWork, await self._conn.execute(statement, {"limit": limit}))

    async def claim_page(
        self, job_id: UUID, page: Mapping[str, Any] | None = None
    ) -> HarvestStart | None:
        """Begin (or go on with) the harvest; counts the start before any work is done.

        None when nothing is left to harvest, or the checkpoint has moved on from `page`.
        """
        was_interrupted = case((jobs.c.harvest_starts > 0, 1), else_=0)
        statement = (
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.status.in_(ACTIVE_STATUSES),
                jobs.c.is_harvested.is_(False),
                or_(jobs.c.checkpoint.is_(None), jobs.c.checkpoint.contains(page or {})),
            )
            .values(
                status=JobStatus.RUNNING,
                started_at=func.coalesce(jobs.c.started_at, func.clock_timestamp()),
                taken_up_at=func.coalesce(jobs.c.taken_up_at, func.clock_timestamp()),
                harvest_starts=jobs.c.harvest_starts + 1,
                resumed=jobs.c.resumed + was_interrupted,
            )
            .returning(
                jobs.c.request,
                jobs.c.priority,
                jobs.c.checkpoint,
                jobs.c.papers_fetched,
                jobs.c.harvest_attempts,
                jobs.c.harvest_starts,
                jobs.c.requested_by,
                # the transaction began before: so the moment was set by this very statement
                (jobs.c.taken_up_at >= func.now()).label("is_first"),
                waited_for_arxiv().label("waited"),
            )
        )
        return first_of(HarvestStart, await self._conn.execute(statement))

    async def release(self, job_id: UUID, *, starts: int, failed: bool) -> None:
        """Note that a start on the harvest ended in order; `failed` counts an attempt.

        One that failed had an answer: the job waits for nothing.

        `starts` is the number that `claim_page` returned; if another has begun since
        (or this was noted already) nothing changes.
        """
        await self._conn.execute(
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.harvest_starts == starts,
            )
            .values(
                harvest_starts=0,
                harvest_attempts=jobs.c.harvest_attempts + int(failed),
                **(MOVING if failed else {}),
            )
        )

    async def wait(self, job_id: UUID, reason: WaitReason) -> None:
        """Note what a running job waits for; from one wait for arXiv to another it goes on waiting.

        (An operator's pause is another wait, for it may last longer than jobs wait for arXiv.)
        """
        goes_on = and_(jobs.c.waiting_for.in_(BOUNDED_WAITS), literal(reason in BOUNDED_WAITS))
        await self._conn.execute(
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.waiting_for.is_distinct_from(reason),
            )
            .values(
                waiting_for=reason,
                waiting_since=case((goes_on, jobs.c.waiting_since), else_=func.clock_timestamp()),
            )
        )

    async def lock_at(self, job_id: UUID, checkpoint: Mapping[str, Any] | None) -> bool:
        """Lock the running job if its checkpoint is still this document; False: somebody went on.

        The compare half of compare-and-set; `advance` in the same transaction is
        the other. Every transaction that touches a job's papers locks the job first.
        """
        return await self._first(_running_at(job_id, checkpoint).with_for_update()) is not None

    async def is_at(self, job_id: UUID, checkpoint: Mapping[str, Any] | None) -> bool:
        """Whether the job runs and its checkpoint still is this document; nothing is locked."""
        return await self._first(_running_at(job_id, checkpoint)) is not None

    async def advance(
        self,
        job_id: UUID,
        checkpoint: Checkpoint,
        *,
        counters: Mapping[str, int],
        total: int | None,
        facts: Mapping[str, Any] | None = None,
        keeps_attempts: bool = False,
    ) -> None:
        """Move to `checkpoint`, and the counters by what its rows changed.

        Failed tries of the step are forgotten, unless it is to be made again. `facts` take
        the place of those that have the same names.
        """
        await self._conn.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                checkpoint=checkpoint.dump(),
                papers_total=jobs.c.papers_total if total is None else total,
                is_harvested=checkpoint.done,
                harvest_attempts=jobs.c.harvest_attempts if keeps_attempts else 0,
                harvest_starts=0,
                **({"facts": jobs.c.facts.concat(literal(facts, JSONB))} if facts else {}),
                **MOVING,
                **{name: jobs.c[name] + step for name, step in counters.items() if step},
            )
        )

    async def lock(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Lock jobs in the order of their ids; returns those that are running."""
        statement = (
            select(jobs.c.id, jobs.c.status)
            .where(jobs.c.id == func.any(bindparam("ids", list(job_ids))))
            .order_by(jobs.c.id)
            .with_for_update()
        )
        rows = (await self._conn.execute(statement)).all()
        return {row.id for row in rows if row.status == JobStatus.RUNNING}

    async def move_counters(self, job_id: UUID, steps: Mapping[str, int]) -> None:
        """Add `steps` to the counters of a job that this transaction has locked."""
        await self._conn.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(**MOVING, **{name: jobs.c[name] + step for name, step in steps.items() if step})
        )

    async def complete_finished(self, job_ids: Sequence[UUID]) -> list[EndedJob]:
        """Complete the running jobs among `job_ids` that have nothing left to do; returns those."""
        statement = (
            update(jobs)
            .where(
                jobs.c.id == func.any(bindparam("ids", list(job_ids))),
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.is_harvested,
                jobs.c.pdfs_pending == 0,
                jobs.c.html_pending == 0,
            )
            .values(status=JobStatus.COMPLETED, completed_at=func.clock_timestamp())
            .returning(*_ended())
        )
        ended = [EndedJob._make(row) for row in (await self._conn.execute(statement)).all()]
        for one in ended:
            self._note_end(JobStatus.COMPLETED, one.seconds)
        return ended

    async def fail(self, job_id: UUID) -> EndedJob | None:
        """Fail an unfinished job; None when it is finished."""
        statement = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.status.in_(ACTIVE_STATUSES))
            .values(status=JobStatus.FAILED, completed_at=func.clock_timestamp())
            .returning(*_ended())
        )
        row = await self._first(statement)
        if row is None:
            return None
        ended = EndedJob._make(row)
        self._note_end(JobStatus.FAILED, ended.seconds)
        return ended

    def _note_end(self, status: JobStatus, seconds: float | None = None) -> None:
        note(self._conn, lambda measured: measured.job_ended(status, seconds))

    async def add_errors(self, job_id: UUID, errors: Sequence[JobError]) -> None:
        """Append to the job's errors; `errors_total` moves with them (by trigger)."""
        if not errors:
            return
        await self._conn.execute(
            insert(job_errors),
            [
                {
                    "job_id": job_id,
                    "stage": error.stage,
                    "error": error.message,
                    "code": error.code,
                    "arxiv_id": error.arxiv_id,
                    "attempt": error.attempt,
                    "line": error.line,
                }
                for error in errors
            ],
        )
        for error in errors:
            note(self._conn, partial(_measure_error, error))

    async def _first(self, statement: Any) -> Row[Any] | None:  # noqa: ANN401 - any statement
        return (await self._conn.execute(statement)).first()


def _measure_error(error: JobError, measured: Measurements) -> None:
    measured.job_error(error.stage, error.code)


def _ended() -> Sequence[ColumnElement[Any]]:
    """The columns of an EndedJob."""
    worked = jobs.c.completed_at - func.coalesce(jobs.c.started_at, jobs.c.created_at)
    return jobs.c.id, jobs.c.requested_by, sql_cast(func.extract("epoch", worked), Float)


def waited_for_arxiv() -> ColumnElement[timedelta]:
    """How long a job has been waiting for arXiv to come back; zero if it is not."""
    waited = func.clock_timestamp() - jobs.c.waiting_since
    return case(
        (jobs.c.waiting_for.in_(BOUNDED_WAITS), waited), else_=literal(timedelta(0), Interval())
    )


def _running_at(job_id: UUID, checkpoint: Mapping[str, Any] | None) -> Select[Any]:
    expected: ColumnElement[Any] = null()
    if checkpoint is not None:
        expected = literal(checkpoint, JSONB)
    return select(jobs.c.id).where(
        jobs.c.id == job_id,
        jobs.c.status == JobStatus.RUNNING,
        jobs.c.checkpoint.is_not_distinct_from(expected),
    )
