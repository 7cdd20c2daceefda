"""Stores one step of a source, batch by batch, each with the checkpoint behind it.

The first batch that finds another checkpoint than the one it follows ends it: somebody
else went on meanwhile.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.job_papers import JobPaperStore
from service.db.jobs import JobStore
from service.domain.checkpoint import Checkpoint
from service.domain.errors import UpstreamIncomplete
from service.domain.jobs import EndedJob, IngestionRequest, JobError, Stage
from service.domain.papers import Paper
from service.jobs.events import log_completed, log_failed, log_page
from service.jobs.store_batch import BatchStorer
from service.sources.base import Expected, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run stands: its checkpoint, as it is stored and as it is read.

    `position`: papers the job has met so far.
    """

    document: Mapping[str, Any] | None
    checkpoint: Checkpoint
    position: int

    def behind(self, checkpoint: Checkpoint, *, papers: int) -> "Place":
        """The place once `checkpoint` is committed, with so many papers."""
        return Place(
            document=checkpoint.dump(), checkpoint=checkpoint, position=self.position + papers
        )


class _End(NamedTuple):
    """What the end of a harvest did to its job: nothing while PDFs are pending."""

    error: JobError
    failed: EndedJob | None
    completed: Sequence[EndedJob]


@dataclass(frozen=True, slots=True)
class StepStorer:
    """Stores steps of one job."""

    database: Database
    job_id: UUID
    request: IngestionRequest

    async def store(self, place: Place, step: Step, *, ends_task: bool) -> Place | None:
        """Store what of `step` is not stored yet; the place behind it, None if it was another's.

        `ends_task`: another task goes on from there, and is queued with the last batch.
        """
        moved: Counter[str] = Counter()
        batches = list(_batches(step.batch.records, self.request.batch_size))
        for number, records in enumerate(batches, start=1):
            if number <= place.checkpoint.batches_done:
                continue
            is_last = number == len(batches)
            checkpoint = replace(place.checkpoint, batches_done=number)
            if is_last:
                checkpoint = step.following
            met = len(records) + (len(step.batch.unchanged) if is_last else 0)
            following = place.behind(checkpoint, papers=met)
            end = None
            async with self.database.transaction() as conn:
                if not await JobStore(conn).lock_at(self.job_id, place.document):
                    return None
                batch = BatchStorer(conn, self.job_id, self.request, place.position)
                counters = Counter(await batch.store_records(records, step.batch))
                if is_last:
                    counters += Counter(await self._rest(batch, step))
                await self._advance(conn, checkpoint, step, counters)
                if is_last and checkpoint.done:
                    end = await self._end(conn, step)
                elif is_last and ends_task:
                    await batch.queue_step(checkpoint, step)
            moved.update(counters)
            place = following
            if is_last:
                self._log(step, moved, end)
        return place

    def _log(self, step: Step, moved: Mapping[str, int], end: _End | None) -> None:
        if step.is_page:
            log_page(self.job_id, moved)
        if end is not None and end.failed is not None:
            log_failed(end.failed, end.error)
        for ended in () if end is None else end.completed:
            log_completed(ended)

    async def _rest(self, batch: BatchStorer, step: Step) -> Mapping[str, int]:
        counters = await batch.store_rest(step.batch)
        return {**counters, "pages_fetched": int(step.is_page)}

    async def _advance(
        self, conn: AsyncConnection, checkpoint: Checkpoint, step: Step, counters: Mapping[str, int]
    ) -> None:
        await JobStore(conn).advance(
            self.job_id,
            checkpoint,
            counters=counters,
            total=step.total,
            facts=step.batch.facts,
            keeps_attempts=step.repeated,
        )

    async def _end(self, conn: AsyncConnection, step: Step) -> _End:
        """Complete the job if nothing is pending; fail it, or say so, if too little came."""
        jobs, failed = JobStore(conn), None
        missing = await self._missing(conn, step.expected)
        error = UpstreamIncomplete(missing)
        what = JobError(stage=Stage.ARXIV_FETCH, message=str(error), code=error.code)
        if step.expected is not None and missing > 0:
            await jobs.add_errors(self.job_id, [what])
            if step.expected.is_certain:
                again = replace(step.expected.again, task=step.following.task)
                await jobs.advance(self.job_id, again, counters={}, total=None)
                failed = await jobs.fail(self.job_id)
        return _End(what, failed, await jobs.complete_finished([self.job_id]))

    async def _missing(self, conn: AsyncConnection, expected: Expected | None) -> int:
        if expected is None:
            return 0
        return expected.papers - await JobPaperStore(conn).count_with_retried(self.job_id)


def _batches(papers: Sequence[Paper], size: int) -> Iterator[Sequence[Paper]]:
    """`papers` in runs of `size`; one empty run where there are none, for the checkpoint."""
    yield papers[:size]
    for start in range(size, len(papers), size):
        yield papers[start : start + size]
