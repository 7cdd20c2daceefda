"""Reads of single jobs, many in one query: for callers who ask all at once.

Each read sees the row as it is committed after the read was asked for: it goes
into a query that has not been sent yet, never into one that is under way. Reads
that are asked for in one turn of the event loop share a query, and so do those
that come while all queries are under way. Nothing is kept beyond its answer.
"""

import asyncio
from collections.abc import Mapping
from itertools import islice
from uuid import UUID

from service.domain.errors import DatabaseAway, NotFound
from service.domain.job import Job
from service.storage.engine import Database
from service.storage.jobs import JobStore

MAX_JOBS = 500  # in one query: some milliseconds of work for either side
MAX_QUERIES = 2  # at once: fewer wait less for company, and one that hangs does not stop all

Reader = asyncio.Future[Job | None]


class JobReads:
    """Single jobs, read in company. `close` before the database is closed."""

    def __init__(
        self, database: Database, *, max_jobs: int = MAX_JOBS, max_queries: int = MAX_QUERIES
    ) -> None:
        self._database = database
        self._max_jobs = max_jobs
        self._max_queries = max_queries
        self._waiting: dict[Reader, UUID] = {}
        self._queries: dict[asyncio.Task[Mapping[UUID, Job]], Mapping[Reader, UUID]] = {}
        self._is_due = False

    async def get(self, job_id: UUID) -> Job:
        """The job with its latest errors; raises NotFound.

        Raises DatabaseAway when there is no answer within the database's deadline,
        from now on, whatever the query that it shares does.
        """
        loop = asyncio.get_running_loop()
        reader: Reader = loop.create_future()
        self._waiting[reader] = job_id
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._ask)
        try:
            async with asyncio.timeout(self._database.deadline_seconds):
                job = await reader
        except TimeoutError as err:
            raise DatabaseAway("the database is not available") from err
        finally:
            self._waiting.pop(reader, None)
        if job is None:
            raise NotFound("Job not found")
        return job

    async def close(self) -> None:
        """Give up the queries under way; their readers are cancelled."""
        queries = list(self._queries)
        for query in queries:
            query.cancel()
        if queries:
            await asyncio.wait(queries)

    def _ask(self) -> None:
        """Send queries for those who wait, as many as may be under way."""
        self._is_due = False
        while self._waiting and len(self._queries) < self._max_queries:
            readers = dict(islice(self._waiting.items(), self._max_jobs))
            for reader in readers:
                del self._waiting[reader]
            query = asyncio.create_task(self._query(set(readers.values())), name="read jobs")
            self._queries[query] = readers
            query.add_done_callback(self._answer)

    async def _query(self, job_ids: set[UUID]) -> Mapping[UUID, Job]:
        async with self._database.reading() as conn:
            return await JobStore(conn).get_many(list(job_ids))

    def _answer(self, query: asyncio.Task[Mapping[UUID, Job]]) -> None:
        """Hand what came of a query to its readers, but for those who have gone."""
        readers = self._queries.pop(query)
        error = None if query.cancelled() else query.exception()
        for reader, job_id in readers.items():
            if reader.done():
                continue
            if query.cancelled():
                reader.cancel()
            elif error is not None:
                reader.set_exception(error)
            else:
                reader.set_result(query.result().get(job_id))
        self._ask()
