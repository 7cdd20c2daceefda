"""Walking a result list: each page becomes papers, tasks for their PDFs, and a checkpoint.

One task brings one page, and queues the next in the transaction that stores the
last batch of it. Restart-safe: a batch's papers, its tasks, the counters and the
cursor behind them commit together, and only if the checkpoint still is the one
that was read. A crash repeats at most the page in flight, and a worker that was
thought dead changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol
from uuid import UUID

import structlog

from service.arxiv.pace import Requester
from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.checkpoint import Checkpoint
from service.domain.errors import PermanentError, UpstreamUnavailable
from service.domain.jobs import Criteria, IngestionRequest, JobError, Stage
from service.domain.outcomes import Fail, Outcome, Snooze, Succeed
from service.domain.papers import Page, Paper
from service.jobs.retry import inherit
from service.jobs.store_batch import PageStorer

MAX_EMPTY_PAGES = 2  # times an empty answer is asked again before it is believed (arXiv #43, #129)

_log = structlog.get_logger(__name__)


class StaleTask(Exception):
    """Nobody waits for this page any more."""


class PageSource(Protocol):
    """Where pages come from."""

    async def page(self, criteria: Criteria, *, offset: int, size: int, asker: Requester) -> Page:
        """`size` results from `offset` on."""
        ...


@dataclass(frozen=True, kw_only=True)
class HarvestAttempt:
    """One try at the page behind `checkpoint`."""

    number: int
    crashes: int
    document: Mapping[str, Any]
    checkpoint: Checkpoint | None
    position: int  # papers the job has brought in so far

    @cached_property
    def request(self) -> IngestionRequest:
        """What the job is to bring in; PermanentError for a row that nobody can read."""
        try:
            return IngestionRequest.load(self.document)
        except (KeyError, TypeError, ValueError) as err:
            message = "the stored request cannot be read"
            raise PermanentError(message, code="unreadable_request") from err

    @property
    def cursor(self) -> Checkpoint:
        """What to do next."""
        return self.checkpoint or Checkpoint.first(self.request)


@dataclass(frozen=True, slots=True)
class Step:
    """From one checkpoint to the next; `ends_page` when a whole page is stored with it."""

    before: Checkpoint | None
    after: Checkpoint
    ends_page: bool


@dataclass(slots=True)
class HarvestPage:
    """The work of a harvest task: one page of one job (of `page`, see `Cursor.page`)."""

    job_id: UUID
    page: Mapping[str, Any]
    database: Database
    arxiv: PageSource
    max_attempts: int = 5
    _checkpoint: Checkpoint | None = None  # the last one that this run has read or written

    async def begin(self) -> HarvestAttempt | None:
        """Take the job up; None when the page is stored, or nothing is left to harvest.

        A job whose checkpoint cannot be read fails.
        """
        async with self.database.transaction() as conn:
            row = await JobStore(conn).claim_page(self.job_id, self.page)
            if row is None:
                return None
            try:
                self._checkpoint = (
                    None if row.checkpoint is None else Checkpoint.load(row.checkpoint)
                )
            except ValueError as err:  # nobody of this version could ever go on
                await self._fail(JobStore(conn), code="unreadable_request", message=str(err))
                return None
        return HarvestAttempt(
            number=row.harvest_attempts + 1,
            crashes=row.harvest_starts - 1,
            document=row.request,
            checkpoint=self._checkpoint,
            position=row.papers_fetched,
        )

    async def run(self, attempt: HarvestAttempt) -> None:
        """Fetch the page, then store it batch by batch; no transaction is open meanwhile.

        The retry of a job takes over that job's unfinished papers first.
        """
        cursor, request = attempt.cursor, attempt.request
        if cursor.is_taking_over:
            position = attempt.position
            async for following in inherit(
                self.database, self.job_id, request, cursor, position=position
            ):
                self._checkpoint = following
            return
        size = cursor.page_size(request)
        asker = Requester(str(self.job_id), partial(self._check_wanted, attempt))
        try:
            page = await self.arxiv.page(
                request.criteria, offset=cursor.offset, size=size, asker=asker
            )
        except StaleTask:
            _log.info("page not wanted any more", job_id=str(self.job_id), offset=cursor.offset)
            return
        if not page.entries and _is_doubtful(page, attempt):
            await self._ask_again(attempt)
            return
        await self._store(attempt, page)

    async def conclude(
        self, attempt: HarvestAttempt, outcome: Outcome, error: Exception | None
    ) -> None:
        """Give the start back, or fail the job with what went wrong."""
        async with self.database.transaction() as conn:
            store = JobStore(conn)
            match outcome:
                case Succeed():
                    pass  # the last batch has set it all
                case Fail(code=code, message=message):
                    # A worker that was thought dead must not fail what another goes on with.
                    is_ours = await store.lock_at(self.job_id, self._checkpoint)
                    if is_ours:
                        tries = error.attempts if isinstance(error, UpstreamUnavailable) else None
                        await self._fail(store, code=code, message=message, tries=tries)
                case _:
                    failed = not isinstance(outcome, Snooze)
                    await store.release(self.job_id, starts=attempt.crashes + 1, failed=failed)

    async def _fail(
        self, store: JobStore, *, code: str, message: str, tries: int | None = None
    ) -> None:
        if await store.fail(self.job_id):
            what = JobError(stage=Stage.ARXIV_FETCH, message=message, code=code, attempt=tries)
            await store.add_errors(self.job_id, [what])

    async def _check_wanted(self, attempt: HarvestAttempt) -> None:
        """Raise StaleTask if the job was cancelled, or another worker went on, meanwhile.

        It may have been long: until the turn came, or since this process was stopped.
        """
        async with self.database.transaction() as conn:
            if not await JobStore(conn).is_at(self.job_id, attempt.checkpoint):
                raise StaleTask

    async def _ask_again(self, attempt: HarvestAttempt) -> None:
        """Queue the same page once more: an empty answer is not believed at first."""
        again = attempt.cursor.asked_again()
        async with self.database.transaction() as conn:
            if not await JobStore(conn).lock_at(self.job_id, attempt.checkpoint):
                return
            await JobStore(conn).advance(self.job_id, again, counters={}, total=None)
            pages = PageStorer(conn, self.job_id, attempt.request)
            await pages.queue_page(again, position=attempt.position)
        _log.info("empty page asked again", job_id=str(self.job_id), offset=again.offset)

    async def _store(self, attempt: HarvestAttempt, page: Page) -> None:
        checkpoint, cursor = attempt.checkpoint, attempt.cursor
        batches = list(_batches(page.papers, attempt.request.batch_size))
        for number, batch in enumerate(batches, start=1):
            if number <= cursor.batches_done:
                continue
            is_last = number == len(batches)
            following = cursor.next_batch()
            if is_last:
                following = cursor.next_page(
                    entries=page.entries, total=page.total, request=attempt.request
                )
            step = Step(checkpoint, following, is_last)
            if not await self._commit(attempt, page, batch, step):
                _log.info("page was stored by another worker", job_id=str(self.job_id))
                return
            self._checkpoint = checkpoint = cursor = following

    async def _commit(
        self, attempt: HarvestAttempt, page: Page, batch: Sequence[Paper], step: Step
    ) -> bool:
        """Store `batch` and move the checkpoint; False, and nothing stored, if it had moved."""
        async with self.database.transaction() as conn:
            jobs = JobStore(conn)
            if not await jobs.lock_at(self.job_id, step.before):
                return False
            pages = PageStorer(conn, self.job_id, attempt.request)
            counters = await pages.store_papers(batch, position=attempt.position)
            if step.ends_page:
                counters["pages_fetched"] = 1
                counters["pdfs_unavailable"] = await pages.record_page_errors(page)
            total = max(0, attempt.request.total_of(page.total) + step.after.total_shift)
            await jobs.advance(self.job_id, step.after, counters=counters, total=total)
            if step.after.done:
                await jobs.complete_finished([self.job_id])
            elif step.ends_page:
                await pages.queue_page(step.after, position=attempt.position + page.entries)
        return True


def _is_doubtful(page: Page, attempt: HarvestAttempt) -> bool:
    """True for an empty answer that is worth asking again.

    Nothing at all may be true, so once is enough; an empty page in the middle of
    more (`total` says so) is asked again as often as we ever do. Ids are asked for
    in requests of their own, so each of those is a first page.
    """
    cursor, is_of_ids = attempt.cursor, bool(attempt.request.criteria.ids)
    if page.total > (0 if is_of_ids else cursor.offset):
        return cursor.empty_pages < MAX_EMPTY_PAGES
    return cursor.empty_pages < 1 and (is_of_ids or cursor.taken == 0)


def _batches(papers: Sequence[Paper], size: int) -> Iterator[Sequence[Paper]]:
    """`papers` in runs of `size`; one empty run where there are none, for the checkpoint."""
    yield papers[:size]
    for start in range(size, len(papers), size):
        yield papers[start : start + size]
