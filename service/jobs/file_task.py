"""What tasks that bring in a file of one paper of one job have in common: PDF and HTML.

A start is counted before the work, a read while it lasts; an attempt that may be repeated is
given back. A download goes on where an earlier one was cut off.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.attempts import AttemptStore, Start
from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.errors import (
    ExtractorCrashed,
    UpstreamFaulty,
    UpstreamUnavailable,
    status_of,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.outcomes import Fail, Outcome, Retry, Snooze, Succeed
from service.extraction.pool import ChildDied
from service.extraction.quarantine import Readers
from service.files.partial_file import Part
from service.files.store import PdfStore
from service.jobs.events import log_failed

S = TypeVar("S", bound=Start)


class Download(Protocol):
    """A file on its way from arXiv."""

    offset: int
    total_bytes: int | None
    etag: str | None
    content_type: str

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        ...


class Reader(Protocol):
    """What reads files, and can be made ready for it."""

    async def prepare(self) -> None:
        """Be ready to read at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTools:
    """What the work on any file needs."""

    database: Database
    store: PdfStore
    extractor: Reader
    readers: Readers


@dataclass(frozen=True, slots=True)
class Attempt(Generic[S]):
    """One try at one file; `row` as the store's `begin` returned it."""

    arxiv_id: ArxivId
    row: S

    @property
    def number(self) -> int:
        """Which try it is, counted from 1; tries that a crash cut off do not count."""
        return int(self.row.failures) + 1

    @property
    def crashes(self) -> int:
        """Tries before it that never ended."""
        return int(self.row.attempts - self.row.failures) - 1


@dataclass(slots=True)
class FileTask(ABC, Generic[S]):
    """The work of a task: one file of one paper of one job.

    With `again` the file is fetched although one is held; with `is_local` never.
    """

    kind: ClassVar[str]  # of file, in the words of messages

    job_id: UUID
    paper: str  # as it was asked for: with its version, if one was named
    again: bool
    tools: FileTools
    is_local: bool = False
    max_attempts: int = 5
    _stage: Stage = Stage.PDF_DOWNLOAD
    _has_read: bool = False

    @abstractmethod
    def _attempts(self, conn: AsyncConnection) -> AttemptStore[S]:
        """Where attempts at this kind of file are counted."""

    @abstractmethod
    async def run(self, attempt: Attempt[S]) -> None:
        """Bring the file in and make of it what is to be made."""

    @abstractmethod
    async def _give_up(self, attempt: Attempt[S], what: JobError, error: Exception | None) -> None:
        """Record that this file failed for good, with `what` as the job's error."""

    async def begin(self) -> Attempt[S] | None:
        """Count the start; None when the paper's file or its job is done."""
        async with self.tools.database.transaction() as conn:
            row = await self._attempts(conn).begin(self.job_id, self.paper)
        if row is None:
            return None
        return Attempt(ArxivId(ArxivId.parse(self.paper).paper, row.version), row)

    async def conclude(
        self, attempt: Attempt[S], outcome: Outcome, error: Exception | None
    ) -> None:
        """Record a failure for good, or give the start back."""
        match outcome:
            case Succeed():
                return
            case Fail(code=code, message=message) if isinstance(error, UpstreamUnavailable):
                what = JobError(stage=self._stage, message=message, code=code)
                await self._fail_job(what, status_of(error))
            case Fail(code=code, message=message):
                what = JobError(
                    stage=self._stage,
                    message=message,
                    code=code,
                    arxiv_id=self.paper,
                    attempt=attempt.number,
                )
                await self._give_up(attempt, what, error)
            case Retry() | Snooze():
                await self._release(attempt, outcome)

    async def _release(self, attempt: Attempt[S], outcome: Retry | Snooze) -> None:
        """Give the start back; the job row first, as everywhere."""
        async with self.tools.database.transaction() as conn:
            if isinstance(outcome, Snooze) and outcome.waiting_for is not None:
                await JobStore(conn).wait(self.job_id, outcome.waiting_for)
            await self._attempts(conn).release(
                self.job_id,
                self.paper,
                attempts=attempt.row.attempts,
                failed=isinstance(outcome, Retry),
                has_read=self._has_read,
            )

    async def _fail_job(self, what: JobError, upstream_status: int | None) -> None:
        """Fail the whole job: arXiv has been unavailable for too long."""
        async with self.tools.database.transaction() as conn:
            failed = await JobStore(conn).fail(self.job_id)
            if failed is not None:
                await JobStore(conn).add_errors(self.job_id, [what])
        if failed is not None:
            log_failed(failed, what, upstream_status=upstream_status)

    @asynccontextmanager
    async def _reading(self, attempt: Attempt[S]) -> AsyncIterator[None]:
        """Count the read in the database while it lasts: who dies of it must leave a trace.

        Only while it lasts, and neither for the whole attempt nor while a process is
        waited for or started: a worker may be killed at any moment, and nearly all of an
        attempt's moments are spent on something else.
        """
        async with self.tools.readers.turn(attempt.row.unfinished_reads):
            await self.tools.extractor.prepare()
            self._has_read = True
            async with self.tools.database.transaction() as conn:
                await self._attempts(conn).begin_reading(self.job_id, self.paper)
            try:
                yield
            except ChildDied as err:  # may have been bad luck: worth another try, twice
                raise ExtractorCrashed(f"the process that read the {self.kind} died") from err
            async with self.tools.database.transaction() as conn:
                await self._attempts(conn).end_reading(self.job_id, self.paper)


async def download(asked: AbstractAsyncContextManager[Download], part: Part) -> str:
    """Write what comes to `part`: behind what it has, or anew; returns the content type.

    Raises what asking, reading and writing raise.
    """
    had = part.size
    try:
        async with asked as answer:
            await part.expect(answer.total_bytes or 0)  # announced as too large: not begun
            if answer.offset == 0:
                await part.truncate()
            await part.record_etag(answer.etag)
            async for chunk in answer.chunks():
                await part.write(chunk)
            return answer.content_type
    except UpstreamFaulty:
        if had and part.size == had:
            await part.truncate()  # what we had may be why: begin anew next time
        raise
