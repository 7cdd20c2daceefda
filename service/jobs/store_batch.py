"""Stores a batch of a harvest: papers, their states in the job, and the tasks that follow."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.coverage import CoverageStore
from service.db.job_papers import JobPaperStore, NewJobPaper
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest, JobError, Stage
from service.domain.papers import EntryError, Paper, PaperState, PdfState
from service.jobs.tasks import harvest_task, pdf_task
from service.sources.base import NO_DELAY, Batch, Step
from service.worker.engine import enqueue

NOTHING = Batch()


@dataclass(frozen=True, slots=True)
class BatchStorer:
    """Writes for one job, in a transaction that has locked it at the checkpoint read.

    `position`: papers the job had met before, for the order of its tasks.
    """

    conn: AsyncConnection
    job_id: UUID
    request: IngestionRequest
    position: int

    async def queue_step(self, checkpoint: Checkpoint, step: Step) -> None:
        """Queue the task that goes on from `checkpoint`, which is behind `step`."""
        task = harvest_task(
            self.job_id,
            self.request.priority,
            checkpoint.task,
            position=self.position + len(step.batch.records),
            delay=step.delay if step.delay > NO_DELAY else None,
            repeats=checkpoint.repeats,
        )
        await enqueue(self.conn, [task])

    async def store_records(
        self, records: Sequence[Paper], batch: Batch = NOTHING
    ) -> dict[str, int]:
        """Store the papers that the job has not met; returns what that adds to its counters.

        They are some of those of `batch`. In bulk all are stored, but those that came again
        were counted before.
        """
        conn, job_id, request = self.conn, self.job_id, self.request
        by_age = sorted(records, key=lambda one: (one.arxiv_id.version or 0, str(one.datestamp)))
        by_id = {paper.arxiv_id.paper: paper for paper in by_age}  # the newest of each
        if request.is_bulk:
            return await self._merge(list(by_id.values()), batch)
        known = await JobPaperStore(conn).known(job_id, by_id)
        new = [paper for arxiv_id, paper in by_id.items() if arxiv_id not in known]
        written = await PaperStore(conn).upsert(
            new, overwrite=not request.skip_duplicates, job_id=job_id
        )
        counters = await self._begin([paper.arxiv_id.paper for paper in new], written)
        return {
            **counters,
            "papers_created": sum(written.values()),
            "papers_updated": len(written) - sum(written.values()),
        }

    async def _merge(self, records: Sequence[Paper], batch: Batch) -> dict[str, int]:
        """Store records whose content decides; only papers whose file is wanted get a row."""
        merged = await PaperStore(self.conn).merge(records, job_id=self.job_id)
        ids = {paper.arxiv_id.paper for paper in records}
        await self._heal(ids, batch)
        counted = ids - batch.again - merged.met
        created, updated = len(merged.created & counted), len(merged.updated & counted)
        pending = 0
        if self.request.process_pdfs:
            pending = await self._want_files(sorted(ids), merged.created | merged.updated)
        return {
            "papers_fetched": len(counted),
            "papers_created": created,
            "papers_updated": updated,
            "papers_skipped": len(counted) - created - updated,
            "pdfs_pending": pending,
        }

    async def _heal(self, ids: Collection[str], batch: Batch) -> None:
        """Move what the audit counted by the papers that are held now."""
        healed = [found for paper, found in batch.healed.items() if paper in ids]
        if healed and self.request.audit is not None:
            await CoverageStore(self.conn).heal(self.request.audit.set or "", Counter(healed))

    async def _want_files(self, ids: Sequence[str], written: Collection[str]) -> int:
        """Begin those of the papers whose file is not held already; returns how many."""
        known = await JobPaperStore(self.conn).known(self.job_id, ids)
        rows = await self._rows([one for one in ids if one not in known], written)
        wanted = [row for row in rows if row.state is PaperState.PENDING]
        await JobPaperStore(self.conn).add(self.job_id, wanted)
        await self._queue_pdfs([row.arxiv_id for row in wanted])
        return len(wanted)

    async def store_rest(self, batch: Batch) -> dict[str, int]:
        """Store what a batch holds besides records; returns what that adds to the counters.

        Papers that are held count as met and left as they were.
        """
        if batch.days and self.request.audit is not None:
            await CoverageStore(self.conn).save(self.request.audit.set or "", batch.days)
        known = await JobPaperStore(self.conn).known(self.job_id, batch.held)
        counters = await self._begin([one for one in batch.held if one not in known], {})
        counters["pdfs_unavailable"] = await self._record_errors(batch.errors)
        counters["errors_total"] = batch.untold
        return counters

    async def _begin(self, arxiv_ids: Sequence[str], written: Mapping[str, bool]) -> dict[str, int]:
        """Begin papers that the job has not met, `written` of them just now."""
        rows = await self._rows(arxiv_ids, written)
        await JobPaperStore(self.conn).add(self.job_id, rows)
        wanted = [row.arxiv_id for row in rows if row.state is PaperState.PENDING]
        await self._queue_pdfs(wanted)
        return {
            "papers_fetched": len(rows),
            "papers_skipped": len(rows) - len(written),
            "pdfs_pending": len(wanted),
        }

    async def _rows(self, arxiv_ids: Sequence[str], written: Collection[str]) -> list[NewJobPaper]:
        """The papers as rows of this job; those that are not in `papers` are left out."""
        request = self.request
        held = await PaperStore(self.conn).find_many(arxiv_ids)
        rows = []
        for arxiv_id in (one for one in arxiv_ids if one in held):
            row = held[arxiv_id]
            is_held = row.pdf_state == PdfState.PROCESSED and request.skip_duplicates
            state, reason = PaperState.PENDING, None
            if not request.process_pdfs:
                state, reason = PaperState.SKIPPED, "pdf_not_wanted"
            elif is_held and arxiv_id not in written:
                state, reason = PaperState.SKIPPED, "already_held"
            rows.append(
                NewJobPaper(arxiv_id=arxiv_id, version=row.version, state=state, reason=reason)
            )
        return rows

    async def _queue_pdfs(self, wanted: Sequence[str]) -> None:
        request = self.request
        await enqueue(
            self.conn,
            [
                pdf_task(
                    self.job_id,
                    request.priority,
                    arxiv_id,
                    position=self.position + number,
                    again=not request.skip_duplicates,
                )
                for number, arxiv_id in enumerate(wanted)
            ],
        )

    async def _record_errors(self, errors: Sequence[EntryError]) -> int:
        """Record what could not be read and what arXiv does not have; returns how many rows.

        A paper that arXiv does not have, in no version that was asked for, gets a
        row of the job.
        """
        gone = {one.unavailable.paper: one for one in errors if one.unavailable is not None}
        known = await JobPaperStore(self.conn).known(self.job_id, gone)
        state = PaperState.UNAVAILABLE
        rows = [
            NewJobPaper(arxiv_id=paper, version=None, state=state, reason=error.code)
            for paper, error in gone.items()
            if paper not in known
        ]
        await JobPaperStore(self.conn).add(self.job_id, rows)
        await JobStore(self.conn).add_errors(self.job_id, [_job_error(one) for one in errors])
        return len(rows)


def _job_error(error: EntryError) -> JobError:
    code = "bad_entry"
    if error.code is not None:
        code = error.code
    return JobError(
        stage=Stage.ARXIV_FETCH if error.line is None else Stage.STORE,
        message=error.message,
        code=code,
        arxiv_id=error.arxiv_id,
        line=error.line,
    )
