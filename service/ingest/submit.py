"""A request becomes a job, at most once for each caller and idempotency key."""

from service.domain.cursor import Cursor
from service.domain.errors import KeyReused
from service.domain.job import IngestionRequest, Job
from service.ingest.tasks import harvest_task
from service.storage.engine import Database
from service.storage.jobs import JobStore
from service.worker.engine import enqueue


async def submit(
    database: Database, request: IngestionRequest, *, caller: str, key: str | None = None
) -> Job:
    """Record a job and queue its harvest, in one transaction; returns the job.

    With a `key` that `caller` has used before, the job of then is returned as it
    is now and nothing is written; raises KeyReused if its request was another.
    Of several that come with the same key at once, one writes and the others
    wait for it.
    """
    async with database.transaction() as conn:
        store = JobStore(conn)
        job = await store.add(request, caller=caller, key=key)
        if job is not None:
            first = Cursor.first(request)
            await enqueue(conn, [harvest_task(job.id, request.priority, first, position=0)])
            return job
        earlier = await store.find_by_key(caller=caller, key=key or "")
        if earlier is None or earlier.request != request.dump():
            raise KeyReused("this Idempotency-Key was used with another request")
        return earlier
