"""Stores a batch of a harvest: papers, their states in the job, and the tasks that follow."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.coverage import CoverageStore
from service.db.html_pages import HtmlPageStore
from service.db.job_papers import OPEN_STATES, JobPaperStore, NewJobPaper
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.db.version_files import VersionFileStore
from service.domain.checkpoint import Checkpoint
from service.domain.identifiers import ArxivId
from service.domain.jobs import DOCUMENTS, IngestionRequest, JobError, Stage
from service.domain.papers import EntryError, HtmlState, Paper, PaperState, PdfState
from service.jobs.tasks import harvest_task, html_task, pdf_task
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
            position=self.position + step.batch.papers,
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
        newest = {paper.arxiv_id.paper: paper for paper in by_age}
        if request.is_bulk:
            return await self._merge(list(newest.values()), batch)
        items = {_item(paper, request.pinned): paper for paper in by_age}
        known = await JobPaperStore(conn).known(job_id, items)
        new = {item: paper for item, paper in items.items() if item not in known}
        newest = {paper.arxiv_id.paper: paper for paper in new.values()}
        written = await PaperStore(conn).upsert(
            list(newest.values()), overwrite=not request.skip_duplicates, job_id=job_id
        )
        await PaperStore(conn).save_versions(
            [paper for item, paper in new.items() if item != paper.arxiv_id.paper]
        )
        stored = {paper.arxiv_id for name, paper in newest.items() if name in written}
        counters = await self._begin(
            list(new), {item for item, paper in new.items() if paper.arxiv_id in stored}
        )
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
        pending = await self._want_files(sorted(ids), merged.created | merged.updated)
        return {
            "papers_fetched": len(counted),
            "papers_created": created,
            "papers_updated": updated,
            "papers_skipped": len(counted) - created - updated,
            **pending,
        }

    async def _heal(self, ids: Collection[str], batch: Batch) -> None:
        """Move what the audit counted by the papers that are held now."""
        healed = [found for paper, found in batch.healed.items() if paper in ids]
        if healed and self.request.audit is not None:
            await CoverageStore(self.conn).heal(self.request.audit.set or "", Counter(healed))

    async def _want_files(self, ids: Sequence[str], written: Collection[str]) -> Mapping[str, int]:
        """Begin those of the papers of which a file is wanted; returns how many files of each."""
        if not (self.request.process_pdfs or self.request.process_html):
            return {}
        known = await JobPaperStore(self.conn).known(self.job_id, ids)
        rows = await self._rows([one for one in ids if one not in known], written)
        wanted = [row for row in rows if _is_open(row) or row.html_state is HtmlState.PENDING]
        await JobPaperStore(self.conn).add(self.job_id, wanted)
        return await self._queue_files(wanted)

    async def store_rest(self, batch: Batch) -> dict[str, int]:
        """Store what a batch holds besides records; returns what that adds to the counters.

        Papers that are held count as met and left as they were.
        """
        if batch.days and self.request.audit is not None:
            await CoverageStore(self.conn).save(self.request.audit.set or "", batch.days)
        known = await JobPaperStore(self.conn).known(self.job_id, batch.held)
        counters = Counter(await self._begin([one for one in batch.held if one not in known], ()))
        counters.update(await self._skip(batch.unchanged))
        counters["pdfs_unavailable"] = await self._record_errors(batch.errors)
        counters["errors_total"] = batch.untold
        return counters

    async def _skip(self, papers: Sequence[str]) -> Mapping[str, int]:
        """Count papers that are held as they came, and begin those of which a file is wanted."""
        pending = await self._want_files(sorted(papers), ()) if papers else {}
        return {"papers_fetched": len(papers), "papers_skipped": len(papers), **pending}

    async def _begin(self, items: Sequence[str], written: Collection[str]) -> dict[str, int]:
        """Begin items that the job has not met, `written` of them just now."""
        rows = await self._rows(items, written)
        await VersionFileStore(self.conn).keep(
            [ArxivId(row.arxiv_id, row.pinned) for row in rows if row.pinned]
        )
        await JobPaperStore(self.conn).add(self.job_id, rows)
        return {
            "papers_fetched": len(rows),
            "papers_skipped": len(rows) - len(written),
            **await self._queue_files(rows),
        }

    async def _rows(self, items: Sequence[str], written: Collection[str]) -> list[NewJobPaper]:
        """The items as rows of this job; those whose papers are not held are left out."""
        request = self.request
        asked = {item: ArxivId.parse(item) for item in items}
        held = await PaperStore(self.conn).find_many({one.paper for one in asked.values()})
        asked = {item: one for item, one in asked.items() if one.paper in held}
        versions = {
            item: ArxivId(one.paper, one.version or held[one.paper].version)
            for item, one in asked.items()
        }
        older = {one for one in versions.values() if one.version != held[one.paper].version}
        states = await VersionFileStore(self.conn).states(older)
        pages: set[tuple[str, int]] = set()
        if request.process_html or request.source == DOCUMENTS:
            wanted = [(one.paper, one.version or 0) for one in versions.values()]
            pages = await HtmlPageStore(self.conn).held(wanted)
        rows = []
        for item, one in versions.items():
            is_older = one in older
            files = HeldFiles(
                arxiv_id=one.paper,
                version=one.version or 0,
                pdf_state=states.get(one, PdfState.NONE) if is_older else held[one.paper].pdf_state,
                has_page=(one.paper, one.version) in pages,
                is_new=item in written,
            )
            row = files.wanted_by(request)
            rows.append(replace(row, pinned=asked[item].version or 0))
        return rows

    async def _queue_files(self, rows: Sequence[NewJobPaper]) -> Mapping[str, int]:
        """Queue the tasks of these papers; returns what that adds to the job's counters."""
        request = self.request
        pdfs = [row for row in rows if _wants_pdf(row, request)]
        pages = [row for row in rows if row.html_state is HtmlState.PENDING]
        makers = [(pdf_task, row) for row in pdfs] + [(html_task, row) for row in pages]
        place = {row.item: self.position + number for number, row in enumerate(rows)}
        tasks = [
            make(
                self.job_id,
                request.priority,
                row.item,
                position=place[row.item],
                again=not request.skip_duplicates,
                is_local=request.source == DOCUMENTS,
            )
            for make, row in makers
        ]
        await enqueue(self.conn, tasks)
        downloaded = sum(row.state is PaperState.DOWNLOADED for row in pdfs)
        return {
            "pdfs_pending": len(pdfs),
            "pdfs_downloaded": downloaded,
            "html_pending": len(pages),
        }

    async def _record_errors(self, errors: Sequence[EntryError]) -> int:
        """Record what could not be read and what arXiv does not have; returns how many rows.

        A paper that arXiv does not have, in no version that was asked for, gets a
        row of the job.
        """
        gone = {one.unavailable.paper: one for one in errors if one.unavailable is not None}
        known = await JobPaperStore(self.conn).known_papers(self.job_id, gone)
        state = PaperState.UNAVAILABLE
        rows = [
            NewJobPaper(arxiv_id=paper, version=None, state=state, reason=error.code)
            for paper, error in gone.items()
            if paper not in known
        ]
        await JobPaperStore(self.conn).add(self.job_id, rows)
        await JobStore(self.conn).add_errors(self.job_id, [_job_error(one) for one in errors])
        return len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFiles:
    """What is held of a version of a paper; `is_new`: its metadata was written just now."""

    arxiv_id: str
    version: int
    pdf_state: str
    has_page: bool = False
    is_new: bool = False

    def wanted_by(self, request: IngestionRequest) -> NewJobPaper:
        """The paper's row of a job: what is to be done for it."""
        return self._anew() if request.source == DOCUMENTS else self._fetched(request)

    def _fetched(self, request: IngestionRequest) -> NewJobPaper:
        may_skip = request.skip_duplicates and not self.is_new
        html_state, html_reason = None, None
        if request.process_html:
            html_state = HtmlState.PENDING
            if may_skip and self.has_page:
                html_state, html_reason = HtmlState.SKIPPED, "already_held"
        state, reason = PaperState.PENDING, None
        if not request.process_pdfs and html_state is not HtmlState.PENDING:
            state, reason = PaperState.SKIPPED, "pdf_not_wanted"
        elif request.process_pdfs and may_skip and self.pdf_state == PdfState.PROCESSED:
            state, reason = PaperState.SKIPPED, "already_held"
        return self._row(state, reason=reason, html_state=html_state, html_reason=html_reason)

    def _anew(self) -> NewJobPaper:
        """For documents that are made anew: from the PDF, and beside it the HTML; else from that.

        A file in storage is what `downloaded` means, so that is where it begins.
        """
        if self.pdf_state in (PdfState.PROCESSED, PdfState.DOWNLOADED):
            return self._row(PaperState.DOWNLOADED)
        if self.has_page:
            return self._row(PaperState.PENDING, html_state=HtmlState.PENDING)
        return self._row(PaperState.SKIPPED, reason="no_file")

    def _row(
        self,
        state: PaperState,
        *,
        reason: str | None = None,
        html_state: HtmlState | None = None,
        html_reason: str | None = None,
    ) -> NewJobPaper:
        return NewJobPaper(
            arxiv_id=self.arxiv_id,
            version=self.version,
            state=state,
            reason=reason,
            html_state=html_state,
            html_reason=html_reason,
        )


def _item(paper: Paper, pinned: Collection[ArxivId]) -> str:
    """The record as the job asked for it: with its version, if it named that."""
    return str(paper.arxiv_id) if paper.arxiv_id in pinned else paper.arxiv_id.paper


def _is_open(row: NewJobPaper) -> bool:
    return row.state in OPEN_STATES


def _wants_pdf(row: NewJobPaper, request: IngestionRequest) -> bool:
    """Whether a paper is open for the sake of its PDF, and not only of its HTML."""
    return row.state is PaperState.DOWNLOADED or (
        row.state is PaperState.PENDING and request.process_pdfs
    )


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
