"""Jobs in SQL: one method, one statement. Writes are guarded where they happen.

A status only leaves `pending` and `running`; a checkpoint only moves from the
value that was read. Who comes late changes nothing and is told so.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Uuid,
    bindparam,
    case,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.domain.cursor import Cursor
from service.domain.errors import NotFound
from service.domain.job import (
    ACTIVE_STATUSES,
    IngestionRequest,
    Job,
    JobError,
    JobStatus,
    Priority,
    Stage,
)
from service.storage.tables import job_errors, jobs

SHOWN_ERRORS = 100  # the status contract: the latest 100

_ERROR_COLUMNS = ("occurred_at", "stage", "error", "code", "arxiv_id", "attempt")
_JOB_COLUMNS = [jobs.c[name] for name in Job._fields if name != "errors"]


class JobStore:
    """All SQL on `jobs` and `job_errors`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(
        self, request: IngestionRequest, *, caller: str, key: str | None = None
    ) -> Job | None:
        """Record a pending job; None when `caller` has one under this idempotency key already."""
        statement = (
            pg_insert(jobs)
            .values(
                request=request.dump(),
                priority=request.priority,
                requested_by=caller,
                idempotency_key=key,
            )
            .on_conflict_do_nothing()
            .returning(jobs.c.id)
        )
        job_id = (await self._conn.execute(statement)).scalar_one_or_none()
        return None if job_id is None else await self.get(job_id)

    async def find_by_key(self, *, caller: str, key: str) -> Job | None:
        """The job that `caller` submitted under this idempotency key."""
        row = await self._first(
            _job_rows().where(jobs.c.requested_by == caller, jobs.c.idempotency_key == key)
        )
        return None if row is None else _job(row)

    async def get(self, job_id: UUID) -> Job:
        """The job with its latest errors; raises NotFound."""
        found = await self.get_many([job_id])
        if not found:
            raise NotFound("Job not found")
        return found[job_id]

    async def get_many(self, job_ids: Sequence[UUID]) -> dict[UUID, Job]:
        """The jobs that exist among `job_ids`, in one query."""
        rows = (await self._conn.execute(_jobs_by_ids(), {"ids": list(job_ids)})).all()
        return {row.id: _job(row) for row in rows}

    async def list_active(self, *, limit: int) -> list[Job]:
        """Pending and running jobs, newest first, at most `limit`."""
        statement = (
            _job_rows()
            .where(jobs.c.status.in_(ACTIVE_STATUSES))
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
            .limit(limit)
        )
        return [_job(row) for row in (await self._conn.execute(statement)).all()]

    async def requested_by(self, job_id: UUID) -> str | None:
        """The caller who submitted the job, None if nobody did (SQL); raises NotFound."""
        statement = select(jobs.c.requested_by).where(jobs.c.id == job_id)
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:
            raise NotFound("Job not found")
        owner: str | None = row.requested_by
        return owner

    async def cancel(self, job_id: UUID) -> str:
        """Cancel by the same function that operators call: see `cancel_job` in the migrations."""
        outcome: str = (await self._conn.execute(select(func.cancel_job(job_id)))).scalar_one()
        return outcome

    async def final_among(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Those of `job_ids` that need no more work: final, or gone."""
        active = select(jobs.c.id).where(
            jobs.c.id == func.any(bindparam("ids", list(job_ids))),
            jobs.c.status.in_(ACTIVE_STATUSES),
        )
        return set(job_ids) - set((await self._conn.execute(active)).scalars())

    async def list_stranded(self, *, limit: int) -> Sequence[Row[Any]]:
        """Work of running jobs that no task will do: job_id, arxiv_id (None: the harvest)."""
        statement = text("SELECT job_id, arxiv_id FROM stranded_work LIMIT :limit")
        return (await self._conn.execute(statement, {"limit": limit})).all()

    async def take_up(self, job_id: UUID) -> Row[Any] | None:
        """Begin (or go on with) the harvest; counts the start before any work is done.

        Returns request, checkpoint, papers_fetched, harvest_attempts and
        harvest_starts (this one included); None when nothing is left to harvest.
        """
        was_interrupted = case((jobs.c.harvest_starts > 0, 1), else_=0)
        statement = (
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.status.in_(ACTIVE_STATUSES),
                jobs.c.is_harvested.is_(False),
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
            )
        )
        return await self._first(statement)

    async def release(self, job_id: UUID, *, starts: int, failed: bool) -> None:
        """Note that a start on the harvest ended in order; `failed` counts an attempt.

        `starts` is the number that `take_up` returned; if another has begun since
        (or this was noted already) nothing changes.
        """
        await self._conn.execute(
            update(jobs)
            .where(
                jobs.c.id == job_id,
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.harvest_starts == starts,
            )
            .values(harvest_starts=0, harvest_attempts=jobs.c.harvest_attempts + int(failed))
        )

    async def lock_at(self, job_id: UUID, checkpoint: Cursor | None) -> bool:
        """Lock the running job if its checkpoint is still `checkpoint`; False: somebody went on.

        The compare half of compare-and-set; `advance` in the same transaction is
        the other. Every transaction that touches a job's papers locks the job first.
        """
        expected: ColumnElement[Any] = null()
        if checkpoint is not None:
            expected = literal(checkpoint.dump(), JSONB)
        statement = (
            select(jobs.c.id)
            .where(
                jobs.c.id == job_id,
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.checkpoint.is_not_distinct_from(expected),
            )
            .with_for_update()
        )
        return await self._first(statement) is not None

    async def advance(
        self, job_id: UUID, cursor: Cursor, *, counters: Mapping[str, int], total: int | None
    ) -> None:
        """Move the checkpoint to `cursor` and the counters by what its rows changed."""
        await self._conn.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                checkpoint=cursor.dump(),
                papers_total=jobs.c.papers_total if total is None else total,
                is_harvested=cursor.done,
                harvest_attempts=0,
                harvest_starts=0,
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
            .values({name: jobs.c[name] + step for name, step in steps.items() if step})
        )

    async def complete_finished(self, job_ids: Sequence[UUID]) -> None:
        """Complete the running jobs among `job_ids` that have nothing left to do."""
        await self._conn.execute(
            update(jobs)
            .where(
                jobs.c.id == func.any(bindparam("ids", list(job_ids))),
                jobs.c.status == JobStatus.RUNNING,
                jobs.c.is_harvested,
                jobs.c.pdfs_pending == 0,
            )
            .values(status=JobStatus.COMPLETED, completed_at=func.clock_timestamp())
        )

    async def fail(self, job_id: UUID) -> bool:
        """Fail a job that is not final; False when it is."""
        statement = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.status.in_(ACTIVE_STATUSES))
            .values(status=JobStatus.FAILED, completed_at=func.clock_timestamp())
        )
        return (await self._conn.execute(statement)).rowcount == 1

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
                }
                for error in errors
            ],
        )

    async def _first(self, statement: Any) -> Row[Any] | None:  # noqa: ANN401 - any statement
        return (await self._conn.execute(statement)).first()


def _job_rows() -> Select[Any]:
    """Jobs with their latest errors as one JSON array, oldest first."""
    latest = (
        select(job_errors)
        .where(job_errors.c.job_id == jobs.c.id)
        .order_by(job_errors.c.occurred_at.desc(), job_errors.c.id.desc())
        .limit(SHOWN_ERRORS)
        .correlate(jobs)
        .subquery("latest")
    )
    parts: list[ColumnElement[Any]] = []
    for name in _ERROR_COLUMNS:
        parts += (literal_column(f"'{name}'"), latest.c[name])
    one = func.jsonb_build_object(*parts)
    collected = (
        select(func.jsonb_agg(aggregate_order_by(one, latest.c.occurred_at, latest.c.id)))
        .correlate(jobs)
        .scalar_subquery()
    )
    # the subquery is not run for the many jobs without errors
    errors = case((jobs.c.errors_total > 0, collected)).label("latest_errors")
    return select(*_JOB_COLUMNS, errors)


@cache
def _jobs_by_ids() -> Select[Any]:
    """Made once: on the hot path, making it costs more than asking."""
    return _job_rows().where(jobs.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))))


def _job(row: Sequence[Any]) -> Job:
    job_id, status, priority, *others, errors = row
    shown = tuple(map(_job_error, errors or ()))
    return Job._make((job_id, JobStatus(status), Priority(priority), *others, shown))


def _job_error(document: Mapping[str, Any]) -> JobError:
    return JobError(
        stage=Stage(document["stage"]),
        message=document["error"],
        code=document["code"],
        occurred_at=datetime.fromisoformat(document["occurred_at"]),
        arxiv_id=document["arxiv_id"],
        attempt=document["attempt"],
    )
