"""Storing one page of a harvest: papers, their states in the job, and the tasks that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.job_papers import JobPaperStore, NewJobPaper
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest, JobError, Stage
from service.domain.papers import Page, Paper, PaperState, PdfState
from service.jobs.tasks import harvest_task, pdf_task
from service.worker.engine import enqueue


@dataclass(frozen=True, slots=True)
class PageStorer:
    """Writes for one job, in a transaction that has locked it at the checkpoint read."""

    conn: AsyncConnection
    job_id: UUID
    request: IngestionRequest

    async def queue_page(self, cursor: Checkpoint, *, position: int) -> None:
        """Queue the harvest of the page at `cursor`."""
        task = harvest_task(self.job_id, self.request.priority, cursor, position=position)
        await enqueue(self.conn, [task])

    async def store_papers(self, batch: Sequence[Paper], *, position: int) -> dict[str, int]:
        """Store the papers that the job has not met; returns what that adds to its counters.

        `position`: papers the job had brought in before, for the order of its tasks.
        """
        conn, job_id, request = self.conn, self.job_id, self.request
        by_version = sorted(batch, key=lambda paper: paper.arxiv_id.version or 0)
        by_id = {paper.arxiv_id.paper: paper for paper in by_version}  # the newest of each
        known = await JobPaperStore(conn).known(job_id, by_id)
        new = [paper for arxiv_id, paper in by_id.items() if arxiv_id not in known]
        written = await PaperStore(conn).upsert(new, overwrite=not request.skip_duplicates)
        rows = await self._rows([paper.arxiv_id.paper for paper in new], written)
        await JobPaperStore(conn).add(job_id, rows)
        wanted = [row.arxiv_id for row in rows if row.state is PaperState.PENDING]
        await self._queue_pdfs(wanted, position=position)
        return {
            "papers_fetched": len(new),
            "papers_created": sum(written.values()),
            "papers_updated": len(written) - sum(written.values()),
            "papers_skipped": len(new) - len(written),
            "pdfs_pending": len(wanted),
        }

    async def inherit(self, arxiv_ids: Sequence[str], *, position: int) -> dict[str, int]:
        """Begin papers that another job did not finish; returns what that adds to the counters.

        They count as seen and left as they were, for arXiv is not asked for them again.
        """
        rows = await self._rows(arxiv_ids, {})
        await JobPaperStore(self.conn).add(self.job_id, rows)
        wanted = [row.arxiv_id for row in rows if row.state is PaperState.PENDING]
        await self._queue_pdfs(wanted, position=position)
        return {
            "papers_fetched": len(rows),
            "papers_skipped": len(rows),
            "pdfs_pending": len(wanted),
        }

    async def _rows(
        self, arxiv_ids: Sequence[str], written: Mapping[str, bool]
    ) -> list[NewJobPaper]:
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

    async def _queue_pdfs(self, wanted: Sequence[str], *, position: int) -> None:
        request = self.request
        await enqueue(
            self.conn,
            [
                pdf_task(
                    self.job_id,
                    request.priority,
                    arxiv_id,
                    position=position + number,
                    again=not request.skip_duplicates,
                )
                for number, arxiv_id in enumerate(wanted)
            ],
        )

    async def record_page_errors(self, page: Page) -> int:
        """Record entries that were no papers, and ids unknown to arXiv; returns how many ids."""
        asked = dict.fromkeys(missing.paper for missing in page.missing)
        known = await JobPaperStore(self.conn).known(self.job_id, asked)
        unknown = [arxiv_id for arxiv_id in asked if arxiv_id not in known]
        state = PaperState.UNAVAILABLE
        await JobPaperStore(self.conn).add(
            self.job_id,
            [
                NewJobPaper(arxiv_id=i, version=None, state=state, reason="not_found")
                for i in unknown
            ],
        )
        errors = [_error(entry.message, "bad_entry", entry.arxiv_id) for entry in page.errors]
        errors += [_error("arXiv does not know this id", "not_found", i) for i in unknown]
        await JobStore(self.conn).add_errors(self.job_id, errors)
        return len(unknown)


def _error(message: str, code: str, arxiv_id: str | None) -> JobError:
    return JobError(stage=Stage.ARXIV_FETCH, message=message, code=code, arxiv_id=arxiv_id)
