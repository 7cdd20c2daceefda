"""Retry of a finished job: a new job for its failed papers and the rest of its list.

Finished states never change, so the job that ended stays as it is, and so do its
papers. The new one begins with those that failed or were still open, without
asking arXiv for them again, and then goes on with the list where it ended, if
it ended early: see `sources.retry`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.jobs import JobStore
from service.db.retries import RetriedJob, RetryStore
from service.domain.checkpoint import Checkpoint
from service.domain.errors import Conflict, KeyReused
from service.domain.jobs import IngestionRequest, Job, JobStatus, Priority
from service.jobs.events import log_created, log_retried
from service.jobs.quotas import Quotas
from service.jobs.submit import Recorded
from service.jobs.tasks import harvest_task
from service.sources.retry import retry_checkpoint
from service.worker.engine import enqueue


async def retry(
    database: Database,
    job_id: UUID,
    *,
    caller: str,
    key: str | None = None,
    admission: Quotas | None = None,
) -> Recorded:
    """Record the job that retries `job_id`, and queue it; returns it.

    Raises NotFound, and Conflict where that job is not finished, has nothing left to
    do, or is being retried already. A `key` of `caller` names one retry of one
    job, and `admission` decides whether there is room, as in `submit`.
    """
    admission = admission or Quotas()
    async with database.transaction() as conn:
        store = RetryStore(conn)
        ended = await store.find(job_id)
        if earlier := await _named(conn, job_id, caller=caller, key=key):
            return Recorded(earlier, is_replay=True)
        checkpoint = _beginning(ended)
        position = await admission.admit(conn, caller)
        values = _values(ended, checkpoint)
        added = await store.add(
            job_id, values=values, checkpoint=checkpoint, caller=caller, key=key
        )
        if added is None:
            rival = await _rival(conn, job_id, caller=caller, key=key)
            return Recorded(rival, is_replay=True)
        task = harvest_task(added, Priority(ended.priority), checkpoint.task, position=position)
        await enqueue(conn, [task])
        job = await JobStore(conn).get(added)
    admission.note_accepted()
    log_created(job)
    log_retried(job)
    return Recorded(job, is_replay=False)


def _beginning(ended: RetriedJob) -> Checkpoint:
    """Where the retry of a job begins; raises Conflict for one that cannot be retried."""
    if not JobStatus(ended.status).is_final:
        raise Conflict(f"The job is {ended.status}; only a finished job can be retried")
    has_list = not ended.is_harvested and ended.status != JobStatus.COMPLETED
    if not ended.unfinished and not has_list:
        raise Conflict("The job has no failed papers")
    try:
        IngestionRequest.load(ended.request)
        return retry_checkpoint(
            ended.checkpoint,
            fetched=ended.papers_fetched,
            unfinished=ended.unfinished,
            has_list=has_list,
        )
    except (KeyError, TypeError, ValueError):
        raise Conflict("The stored request of the job cannot be read") from None


def _values(ended: RetriedJob, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the new row has in common with that of the job that ended, and its own total."""
    total: int | None = ended.unfinished
    if checkpoint.state["has_list"]:
        known = ended.papers_total
        rest = None if known is None else max(0, known - ended.papers_fetched)
        total = None if rest is None else ended.unfinished + rest
    return {"request": ended.request, "priority": ended.priority, "papers_total": total}


async def _named(
    conn: AsyncConnection, job_id: UUID, *, caller: str, key: str | None
) -> Job | None:
    """The retry that this key names already; raises KeyReused where it names something else."""
    earlier = None if key is None else await JobStore(conn).find_by_key(caller=caller, key=key)
    if earlier is not None and earlier.retry_of != job_id:
        raise KeyReused("this Idempotency-Key was used with another request")
    return earlier


async def _rival(conn: AsyncConnection, job_id: UUID, *, caller: str, key: str | None) -> Job:
    """The retry that was recorded meanwhile, if it has the same key; raises Conflict if not."""
    if earlier := await _named(conn, job_id, caller=caller, key=key):
        return earlier
    active = await RetryStore(conn).find_active(job_id)
    raise Conflict(f"The job is being retried already, by job {active}")
