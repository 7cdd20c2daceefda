"""Creates jobs, at most one for each caller and idempotency key."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.errors import KeyReused, Overloaded, QuotaExceeded
from service.domain.jobs import IngestionRequest, Job
from service.jobs.events import log_created
from service.jobs.quotas import Quotas
from service.jobs.tasks import harvest_task
from service.worker.engine import enqueue


class Recorded(NamedTuple):
    """The job of a request; `is_replay`: of an earlier one with the same key."""

    job: Job
    is_replay: bool


async def submit(
    database: Database,
    request: IngestionRequest,
    *,
    caller: str,
    key: str | None = None,
    admission: Quotas | None = None,
) -> Recorded:
    """Create a job and queue its harvest, in one transaction; returns the job.

    With a `key` that `caller` has used before, the job of then is returned as it
    is now and nothing is written; raises KeyReused if its request was another.
    Of several that come with the same key at once, one writes and the others
    wait for it. Where there is no room for a new job, raises what `admission`
    raises (without one there always is). A caller's n-th unfinished job ranks
    like the n-th paper of one: many jobs do not hold up another caller's.
    """
    admission = admission or Quotas()
    async with database.transaction() as conn:
        store = JobStore(conn)
        try:
            position = await admission.admit(conn, caller)
        except (QuotaExceeded, Overloaded):
            earlier = await store.find_by_key(caller=caller, key=key) if key else None
            if earlier is None:
                raise
            return Recorded(_repeated(earlier, request), is_replay=True)
        job = await record(conn, request, caller=caller, key=key, position=position)
        if job is None:
            earlier = await store.find_by_key(caller=caller, key=key or "")
            return Recorded(_repeated(earlier, request), is_replay=True)
    admission.note_accepted()
    log_created(job)
    return Recorded(job, is_replay=False)


async def record(
    conn: AsyncConnection,
    request: IngestionRequest,
    *,
    caller: str,
    key: str | None,
    position: int,
    schedule_id: UUID | None = None,
) -> Job | None:
    """Create a job and queue its harvest in the transaction of `conn`.

    None, and nothing is written, where `key` names a job of `caller` already.
    `position`: jobs of the caller that are not finished yet. `schedule_id`: the schedule
    that the job is a run of.
    """
    job = await JobStore(conn).add(request, caller=caller, key=key, schedule_id=schedule_id)
    if job is not None:
        await enqueue(conn, [harvest_task(job.id, request.priority, 0, position=position)])
    return job


def _repeated(earlier: Job | None, request: IngestionRequest) -> Job:
    """The job that this key names already; raises KeyReused if it was for another request."""
    if earlier is None or earlier.retry_of or earlier.request != request.dump():
        raise KeyReused("this Idempotency-Key was used with another request")
    return earlier
