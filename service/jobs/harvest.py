"""Harvest task: one step of a source becomes papers, PDF tasks and a checkpoint.

One task makes one step (of a source that waits for nobody: some), and queues the
next in the transaction that stores the last batch of it. Restart-safe: a batch's
papers, its tasks, the counters and the checkpoint behind them commit together,
and only if the checkpoint still is the one that was read. A crash repeats at most
the step in flight, and a worker that was thought dead changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import structlog

from service.arxiv.pace import Requester
from service.db.engine import Database
from service.db.held_reader import DatabaseHeldReader
from service.db.jobs import JobStore
from service.domain.errors import PermanentError, TransientError, status_of
from service.domain.jobs import IngestionRequest, JobError, Stage
from service.domain.outcomes import Fail, Outcome, Snooze, Succeed
from service.jobs.events import log_failed, log_started
from service.jobs.patience import patience
from service.jobs.store_step import Place, StepStorer
from service.jobs.tasks import ranked
from service.sources.base import HarvestContext, Step
from service.sources.registry import Sources

LONGEST_RUN_SECONDS = 2.0  # of steps that wait for nobody: then the tasks of others come first

_log = structlog.get_logger(__name__)


class StaleTask(Exception):
    """Nobody waits for this step any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestAttempt:
    """One try at a step; `request` and `checkpoint` as they are stored."""

    number: int
    crashes: int
    request: Mapping[str, Any]
    checkpoint: Mapping[str, Any] | None
    position: int  # papers the job has met so far
    waited: timedelta  # for arXiv to come back


@dataclass(slots=True)
class HarvestStep:
    """The work of a harvest task: a step of one job (of `page`, see `Checkpoint.page`)."""

    job_id: UUID
    page: Mapping[str, Any]
    database: Database
    sources: Sources
    max_attempts: int = 5
    _document: Mapping[str, Any] | None = None  # the checkpoint last read or written

    async def begin(self) -> HarvestAttempt | None:
        """Take the job up; None when the step is stored, or nothing is left to harvest."""
        async with self.database.transaction() as conn:
            row = await JobStore(conn).claim_page(self.job_id, self.page)
        if row is None:
            return None
        if row.is_first:
            log_started(self.job_id, requested_by=row.requested_by)
        self._document = row.checkpoint
        return HarvestAttempt(
            number=row.harvest_attempts + 1,
            crashes=row.harvest_starts - 1,
            request=row.request,
            checkpoint=row.checkpoint,
            position=row.papers_fetched,
            waited=row.waited,
        )

    async def run(self, attempt: HarvestAttempt) -> None:
        """Make the step, then store it batch by batch; no transaction is open meanwhile.

        Steps that wait for nobody follow at once, for a while.
        """
        request, place = self._read(attempt)
        storer = StepStorer(self.database, self.job_id, request)
        began_at = monotonic()
        ends_task = False
        while not ends_task:
            started = monotonic()
            with patience(attempt.waited):
                step = await self._fetch(request, place, attempt.number)
            if step is None:
                break
            following = step.following
            waits = following.needs_arxiv or bool(step.delay)
            longest = max(LONGEST_RUN_SECONDS, step.run.total_seconds())
            ends_task = waits or following.done or monotonic() > began_at + longest
            repeats = place.checkpoint.repeats + 1 if step.repeated else 0
            number = place.checkpoint.task + int(ends_task)
            step = replace(step, following=replace(following, task=number, repeats=repeats))
            stored = await storer.store(place, step, ends_task=ends_task)
            if stored is None:
                break
            self.database.measurements.page_stored(monotonic() - started)
            if step.repeated:
                _log.info("page asked again", job_id=str(self.job_id), times=repeats)
            place, self._document = stored, stored.document
        else:
            return
        _log.info("stale page skipped", job_id=str(self.job_id))

    async def conclude(
        self, attempt: HarvestAttempt, outcome: Outcome, error: Exception | None
    ) -> None:
        """Release the start, or fail the job with what went wrong."""
        failed = None
        async with self.database.transaction() as conn:
            store = JobStore(conn)
            match outcome:
                case Succeed():
                    pass  # the last batch has set it all
                case Fail(code=code, message=message):
                    # A worker that was thought dead must not fail what another goes on with.
                    is_ours = await store.lock_at(self.job_id, self._document)
                    what = _job_error(code, message, attempt, error)
                    if is_ours and (failed := await store.fail(self.job_id)):
                        await store.add_errors(self.job_id, [what])
                case Snooze(waiting_for=reason):
                    if reason is not None:
                        await store.wait(self.job_id, reason)
                    await store.release(self.job_id, starts=attempt.crashes + 1, failed=False)
                case _:
                    await store.release(self.job_id, starts=attempt.crashes + 1, failed=True)
        if failed is not None:
            log_failed(failed, what, upstream_status=status_of(error))

    def _read(self, attempt: HarvestAttempt) -> tuple[IngestionRequest, Place]:
        """What the job is to bring, and where it stands; PermanentError if nobody can read it."""
        try:
            request = IngestionRequest.load(attempt.request)
        except (KeyError, TypeError, ValueError) as err:
            message = "the stored request cannot be read"
            raise PermanentError(message, code="unreadable_request") from err
        try:
            checkpoint = self.sources.checkpoint(attempt.checkpoint, request)
            self.sources.of(checkpoint)
        except ValueError as err:
            raise PermanentError(str(err), code="unreadable_request") from err
        place = Place(document=attempt.checkpoint, checkpoint=checkpoint, position=attempt.position)
        return request, place

    async def _fetch(self, request: IngestionRequest, place: Place, attempt: int) -> Step | None:
        """The step from `place`; None if nobody wants it any more."""
        repeats = place.checkpoint.repeats + attempt - 1
        rank = ranked(request.priority, place.position, repeats=repeats)
        context = HarvestContext(
            job_id=self.job_id,
            request=request,
            held=DatabaseHeldReader(self.database),
            requester=Requester(str(self.job_id), partial(self._check_wanted, place), rank),
        )
        try:
            return await self.sources.of(place.checkpoint).fetch(context, place.checkpoint)
        except StaleTask:
            return None

    async def _check_wanted(self, place: Place) -> None:
        """Raise StaleTask if the job was cancelled, or another worker went on, meanwhile.

        It may have been long: until the slot came, or since this process was stopped.
        """
        async with self.database.transaction() as conn:
            if not await JobStore(conn).is_at(self.job_id, place.document):
                raise StaleTask


def _job_error(
    code: str, message: str, attempt: HarvestAttempt, error: Exception | None
) -> JobError:
    tries = attempt.number if isinstance(error, TransientError) else None
    return JobError(stage=Stage.ARXIV_FETCH, message=message, code=code, attempt=tries)
