"""Reads of single jobs, many in one query: for callers who ask all at once.

Each read sees the row as it is committed after the read was asked for: it goes
into a query that has not been sent yet, never into one that is under way. Reads
that are asked for in one turn of the event loop share a query, and so do those
that come while a query is under way. Nothing is kept beyond its answer.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from uuid import UUID

from service.domain.errors import DatabaseAway, NotFound
from service.domain.job import Job
from service.storage.engine import Database
from service.storage.jobs import JobStore

MAX_JOBS = 500  # in one query: some milliseconds of work for either side
MAX_QUERIES = 4  # at once
PATIENCE = timedelta(milliseconds=50)

Reader = asyncio.Future[Job | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How reads share queries.

    One query at a time, since waiting for company costs least; but one that has
    not come back within `patience` must not stop the others, so the next may then
    be sent beside it, up to `max_queries`, each for at most `max_jobs` readers.
    """

    max_jobs: int = MAX_JOBS
    max_queries: int = MAX_QUERIES
    patience: timedelta = PATIENCE


class JobReads:
    """Single jobs, read in company. `close` before the database is closed."""

    def __init__(self, database: Database, sharing: Sharing | None = None) -> None:
        self._database = database
        self._sharing = sharing or Sharing()
        self._waiting: dict[Reader, UUID] = {}
        self._deadlines: dict[Reader, float] = {}  # of all readers, the first comes first
        self._watch: asyncio.TimerHandle | None = None
        self._queries: dict[asyncio.Task[Mapping[UUID, Job]], Mapping[Reader, UUID]] = {}
        self._next_at = 0.0  # when a query may be sent beside those under way (loop time)
        self._is_due = False

    async def get(self, job_id: UUID) -> Job:
        """The job with its latest errors; raises NotFound.

        Raises DatabaseAway when there is no answer within the database's deadline,
        from now on, whatever the query that it shares does.
        """
        loop = asyncio.get_running_loop()
        reader: Reader = loop.create_future()
        self._waiting[reader] = job_id
        self._deadlines[reader] = deadline = loop.time() + self._database.deadline_seconds
        if self._watch is None:
            self._watch = loop.call_at(deadline, self._expire)
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._ask)
        try:
            job = await reader
        finally:
            del self._deadlines[reader]
            self._waiting.pop(reader, None)
        if job is None:
            raise NotFound("Job not found")
        return job

    async def close(self) -> None:
        """Give up the queries under way; their readers are cancelled."""
        if self._watch is not None:
            self._watch.cancel()
        queries = list(self._queries)
        for query in queries:
            query.cancel()
        if queries:
            await asyncio.wait(queries)

    def _ask(self) -> None:
        """Send the queries that may be sent now for those who wait."""
        self._is_due = False
        while self._waiting and self._may_send():
            readers = dict(islice(self._waiting.items(), self._sharing.max_jobs))
            for reader in readers:
                del self._waiting[reader]
            self._send(readers)

    def _may_send(self) -> bool:
        if not self._queries:
            return True
        is_overdue = asyncio.get_running_loop().time() >= self._next_at
        return is_overdue and len(self._queries) < self._sharing.max_queries

    def _send(self, readers: Mapping[Reader, UUID]) -> None:
        loop = asyncio.get_running_loop()
        self._next_at = loop.time() + self._sharing.patience.total_seconds()
        query = asyncio.create_task(self._query(set(readers.values())), name="read jobs")
        self._queries[query] = readers
        overdue = loop.call_at(self._next_at, self._ask)
        query.add_done_callback(lambda _: overdue.cancel())
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

    def _expire(self) -> None:
        """Let go of the readers whose time is up, and look again when the next one's is.

        One timer for all: one for each would cost more than handing over the row.
        """
        self._watch = None
        loop = asyncio.get_running_loop()
        for reader, deadline in self._deadlines.items():
            if deadline > loop.time():
                self._watch = loop.call_at(deadline, self._expire)
                return
            if not reader.done():
                reader.set_exception(DatabaseAway("the database is not available"))
