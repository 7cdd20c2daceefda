"""Coalesces concurrent job reads into one query.

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

from service.db.engine import Database
from service.db.job_rows import JobState, jobs_by_ids
from service.domain.errors import DatabaseUnavailable, NotFound

MAX_JOBS = 500  # in one query: some milliseconds of work for either side
MAX_QUERIES = 4  # at once
MAX_WAIT = timedelta(milliseconds=50)

TURN_SHARE = 0.2  # of the deadline, then the connection is released
REST = timedelta(milliseconds=5)  # that it is kept for, though nobody waits

Reader = asyncio.Future[JobState | None]
Readers = Mapping[Reader, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How reads share queries.

    One query at a time, since waiting to share one costs least; but one that has
    not come back within `patience` must not stop the others, so the next may then
    be sent beside it, up to `max_queries`, each for at most `max_jobs` readers.
    """

    max_jobs: int = MAX_JOBS
    max_queries: int = MAX_QUERIES
    patience: timedelta = MAX_WAIT


class JobLoader:
    """Single jobs, read in batches. `close` before the database is closed."""

    def __init__(self, database: Database, sharing: Sharing | None = None) -> None:
        self._database = database
        self._statement = str(jobs_by_ids().compile(dialect=database.engine.dialect))
        self._sharing = sharing or Sharing()
        self._waiting: dict[Reader, UUID] = {}
        self._deadlines: dict[Reader, float] = {}  # of all readers, the first comes first
        self._watch: asyncio.TimerHandle | None = None
        self._turns: dict[asyncio.Task[None], Readers] = {}  # whom its query under way is for
        self._overdue: asyncio.TimerHandle | None = None
        self._overdue_at = 0.0  # when a turn may begin beside the others (loop time)
        self._is_due = False
        self._rest: asyncio.Future[None] | None = None  # of a turn for whom nobody waits

    async def get(self, job_id: UUID) -> JobState:
        """The state of the job with its latest errors; raises NotFound.

        Raises DatabaseUnavailable when there is no answer within the database's deadline,
        from now on, whatever the query that it shares does.
        """
        if not self._is_due:
            self._expect()
        reader: Reader = self._loop.create_future()
        self._waiting[reader] = job_id
        self._deadlines[reader] = self._deadline
        try:
            state = await reader
        finally:
            del self._deadlines[reader]
            self._waiting.pop(reader, None)
        if state is None:
            raise NotFound("Job not found", code="job_not_found")
        return state

    def _expect(self) -> None:
        """Look after all who ask in this turn of the event loop; they have one deadline."""
        self._is_due = True
        self._loop = loop = asyncio.get_running_loop()
        loop.call_soon(self._ask)
        self._deadline = loop.time() + self._database.deadline_seconds
        if self._watch is None:
            self._watch = loop.call_at(self._deadline, self._expire)

    async def close(self) -> None:
        """Give up the queries under way; their readers are cancelled."""
        for timer in (self._watch, self._overdue):
            if timer is not None:
                timer.cancel()
        turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        if turns:
            await asyncio.wait(turns)

    def _ask(self) -> None:
        """Begin a turn for those who wait, if one may begin now."""
        self._is_due = False
        if self._rest is not None:
            _end_rest(self._rest)
            return
        while self._waiting and self._may_begin():
            readers = self._next_readers()
            turn = asyncio.create_task(self._take_slot(readers), name="read jobs")
            self._note_query(turn, readers)
            turn.add_done_callback(self._end)

    def _may_begin(self) -> bool:
        if not self._turns:
            return True
        is_overdue = asyncio.get_running_loop().time() >= self._overdue_at
        return is_overdue and len(self._turns) < self._sharing.max_queries

    def _next_readers(self) -> Readers:
        if len(self._waiting) <= self._sharing.max_jobs:
            readers, self._waiting = self._waiting, {}
            return readers
        readers = dict(islice(self._waiting.items(), self._sharing.max_jobs))
        for reader in readers:
            del self._waiting[reader]
        return readers

    def _note_query(self, turn: asyncio.Task[None], readers: Readers) -> None:
        loop = asyncio.get_running_loop()
        self._turns[turn] = readers
        self._overdue_at = loop.time() + self._sharing.patience.total_seconds()
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = loop.call_at(self._overdue_at, self._ask)

    async def _take_slot(self, readers: Readers) -> None:
        """Query after query on one connection while anybody asks: taking one costs as much."""
        turn = asyncio.current_task()
        assert turn is not None
        ends_at = self._loop.time() + self._database.deadline_seconds * TURN_SHARE
        async with self._database.fetching() as fetch:
            while readers:
                states = dict(await fetch(self._statement, list(set(readers.values()))))
                for reader, job_id in readers.items():
                    if not reader.done():  # whoever asked may have gone
                        reader.set_result(states.get(job_id))
                if not self._waiting and self._rest is None:
                    await self._rest_a_moment()
                readers = self._next_readers() if self._loop.time() < ends_at else {}
                if readers:
                    self._note_query(turn, readers)

    async def _rest_a_moment(self) -> None:
        """Return when somebody asks; after REST, whether or not."""
        self._rest = rest = self._loop.create_future()
        alarm = self._loop.call_later(REST.total_seconds(), _end_rest, rest)
        try:
            await rest
        finally:
            alarm.cancel()
            self._rest = None

    def _end(self, turn: asyncio.Task[None]) -> None:
        """Tell the readers of a query that failed, and go on with those who wait."""
        readers = self._turns.pop(turn)
        error = None if turn.cancelled() else turn.exception()
        for reader in readers:
            if not reader.done():
                reader.cancel() if error is None else reader.set_exception(error)
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
                reader.set_exception(DatabaseUnavailable("the database is not available"))


def _end_rest(rest: asyncio.Future[None]) -> None:
    if not rest.done():
        rest.set_result(None)
