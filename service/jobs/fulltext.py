"""PDF task: downloads a paper's PDF into storage, and its text into the database.

The order is what makes a crash harmless: partial file, check, fsync, rename,
and only then the row; the text after that. A task that runs again finds what
the one before it left: a partial file to go on with, or a file that only wants
its text.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

from service.db.engine import Database
from service.db.html_pages import HtmlPageStore
from service.db.job_papers import JobPaperStore, PaperStart
from service.db.jobs import JobStore
from service.domain.errors import (
    BadPdf,
    CorruptPdf,
    ExtractorCrashed,
    JudgedOtherwise,
    NotFound,
    NotPdf,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
    UpstreamUnavailable,
    status_of,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.outcomes import Fail, Outcome, Retry, Snooze, Succeed
from service.domain.papers import ExtractedText, HtmlVerdict, PaperState, StoredPdf
from service.extraction.html_question import HtmlQuestion
from service.extraction.pool import ChildDied
from service.extraction.quarantine import Readers
from service.files.partial_file import Part
from service.files.store import PdfStore
from service.jobs.events import log_failed
from service.jobs.html_judge import Judged, judge_again, refusal
from service.jobs.patience import patience
from service.jobs.results import Result, ResultWriter

MOST_JUDGEMENTS = 5  # of the HTML beside a PDF, while others come and go
ENCRYPTED = "encrypted"  # a good file whose text we cannot have


class Download(Protocol):
    """A PDF on its way from arXiv."""

    offset: int
    total_bytes: int | None
    etag: str | None
    content_type: str

    def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes."""
        ...


class PdfSource(Protocol):
    """Where PDFs come from."""

    def open_pdf(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """The PDF from `offset` on, if it still is the file of `etag`."""
        ...


class TextSource(Protocol):
    """What reads PDFs, and the HTML beside them."""

    async def prepare(self) -> None:
        """Be ready to read at once."""
        ...

    async def check(self, path: Path) -> None:
        """Raise BadPdf if the file cannot be opened."""
        ...

    async def text_of(self, path: Path) -> ExtractedText:
        """The text of a PDF."""
        ...

    async def judge_html(self, path: Path, question: HtmlQuestion) -> HtmlVerdict:
        """The document of a page of HTML, or why it is refused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfTools:
    """What the work on any PDF needs."""

    database: Database
    arxiv: PdfSource
    store: PdfStore
    extractor: TextSource
    recorder: ResultWriter
    readers: Readers


@dataclass(frozen=True, slots=True)
class PdfAttempt:
    """One try at one paper's PDF; `row` as `JobPaperStore.begin` returned it."""

    arxiv_id: ArxivId
    row: PaperStart

    @property
    def number(self) -> int:
        """Which try it is, counted from 1; tries that a crash cut off do not count."""
        return int(self.row.failures) + 1

    @property
    def crashes(self) -> int:
        """Tries before it that never ended."""
        return int(self.row.attempts - self.row.failures) - 1

    @property
    def held(self) -> StoredPdf | None:
        """The file that the database says we have."""
        row = self.row
        if row.pdf_path is None or row.pdf_sha256 is None or row.pdf_bytes is None:
            return None
        return StoredPdf(path=row.pdf_path, sha256=row.pdf_sha256, size_bytes=row.pdf_bytes)


@dataclass(slots=True)
class FetchPdf:
    """The work of a pdf task: one paper of one job.

    With `again` the file is fetched although another job has stored it; with `is_local`
    never.
    """

    job_id: UUID
    paper: str  # as it was asked for: with its version, if one was named
    again: bool
    tools: PdfTools
    is_local: bool = False
    max_attempts: int = 5
    _stage: Stage = Stage.PDF_DOWNLOAD
    _has_read: bool = False

    async def begin(self) -> PdfAttempt | None:
        """Count the start; None when the paper or its job is done."""
        async with self.tools.database.transaction() as conn:
            row = await JobPaperStore(conn).begin(self.job_id, self.paper)
        if row is None:
            return None
        return PdfAttempt(ArxivId(ArxivId.parse(self.paper).paper, row.version), row)

    async def run(self, attempt: PdfAttempt) -> None:
        """Bring the file in unless it is there, then its text."""
        self.tools.readers.check(attempt.row.unfinished_reads)
        started, measurements = monotonic(), self.tools.database.measurements
        pdf = await self._usable(attempt)
        if pdf is None:
            pdf = await self._fetched(attempt)
        if attempt.row.state == PaperState.PENDING or pdf != attempt.held:
            await self._remove(await self._record(attempt, PaperState.DOWNLOADED, pdf=pdf))
        self._stage = Stage.PDF_PROCESSING
        try:
            async with self.tools.store.local_copy(pdf) as path, self._reading(attempt):
                began = monotonic()
                text = await self.tools.extractor.text_of(path)
                measurements.text_extracted(monotonic() - began)
        except NotFound as err:  # another job's bytes have just taken its place, or it was lost
            raise StorageUnavailable("The stored PDF is missing") from err
        await self._record_text(attempt, pdf, text)
        measurements.pdf_processed(monotonic() - started)

    async def _record_text(self, attempt: PdfAttempt, pdf: StoredPdf, text: ExtractedText) -> None:
        """Record the text, and what the page of HTML that is held is worth beside it."""
        for _ in range(MOST_JUDGEMENTS):
            html = await self._judged(attempt, pdf, text)
            try:
                replaced = await self._record(
                    attempt, PaperState.PROCESSED, text=text, sha256=pdf.sha256, html=html
                )
            except JudgedOtherwise:  # another page has come meanwhile
                continue
            await self._remove(replaced)
            return
        raise JudgedOtherwise("the HTML of the paper changes all the time")

    async def _judged(
        self, attempt: PdfAttempt, pdf: StoredPdf, text: ExtractedText
    ) -> Judged | None:
        """The page of HTML of this version, compared with `text`; None if none is held."""
        async with self.tools.database.transaction() as conn:
            page = await HtmlPageStore(conn).find(attempt.arxiv_id)
        if page is None:
            return None
        try:
            async with self.tools.store.local_copy(page.file) as path, self._reading(attempt):
                extractor = self.tools.extractor
                verdict = await judge_again(extractor, path, attempt.arxiv_id, text)
        except NotFound:
            verdict = refusal(code="html_missing")
        return Judged(replace(page, pdf_sha256=pdf.sha256), verdict)

    async def conclude(
        self, attempt: PdfAttempt, outcome: Outcome, error: Exception | None
    ) -> None:
        """Record a failure for good, or give the start back."""
        match outcome:
            case Succeed():
                return
            case Fail(code=code, message=message) if isinstance(error, UpstreamUnavailable):
                await self._fail_job(code, message, status_of(error))
            case Fail(code=code, message=message):
                gone = isinstance(error, Unavailable)
                state = PaperState.UNAVAILABLE if gone else PaperState.FAILED
                what = JobError(
                    stage=self._stage,
                    message=message,
                    code=code,
                    arxiv_id=self.paper,
                    attempt=attempt.number,
                )
                attempts = attempt.row.attempts
                await self._record(
                    attempt,
                    state,
                    reason=code,
                    error=what,
                    attempts=attempts,
                    upstream_status=status_of(error),
                )
            case Retry() | Snooze():
                await self._release(attempt, outcome)

    async def _release(self, attempt: PdfAttempt, outcome: Retry | Snooze) -> None:
        """Give the start back; the job row first, as everywhere."""
        async with self.tools.database.transaction() as conn:
            if isinstance(outcome, Snooze) and outcome.waiting_for is not None:
                await JobStore(conn).wait(self.job_id, outcome.waiting_for)
            await JobPaperStore(conn).release(
                self.job_id,
                self.paper,
                attempts=attempt.row.attempts,
                failed=isinstance(outcome, Retry),
                has_read=self._has_read,
            )

    async def _fail_job(self, code: str, message: str, upstream_status: int | None) -> None:
        """Fail the whole job: arXiv has been unavailable for too long."""
        what = JobError(stage=self._stage, message=message, code=code)
        async with self.tools.database.transaction() as conn:
            failed = await JobStore(conn).fail(self.job_id)
            if failed is not None:
                await JobStore(conn).add_errors(self.job_id, [what])
        if failed is not None:
            log_failed(failed, what, upstream_status=upstream_status)

    async def _usable(self, attempt: PdfAttempt) -> StoredPdf | None:
        """The file that we hold, if it is whole and this job may use it."""
        held = attempt.held
        may_use = not self.again or attempt.row.state == PaperState.DOWNLOADED
        if held and may_use and await self._is_whole(held):
            return held
        if self.is_local:
            raise BadPdf("the PDF is not in storage any more", code="file_missing")
        return None

    async def _is_whole(self, pdf: StoredPdf) -> bool:
        return await self.tools.store.verify(pdf.path, pdf.sha256, pdf.size_bytes)

    async def _fetched(self, attempt: PdfAttempt) -> StoredPdf:
        """Download the PDF, going on where an earlier try was cut off, and store it."""
        arxiv_id = attempt.arxiv_id
        async with self.tools.store.partial(arxiv_id) as part:
            with patience(attempt.row.waited):
                await self._download(arxiv_id, part)
            await self._check(part, attempt)
            return await self.tools.store.commit(part, arxiv_id)

    async def _download(self, arxiv_id: ArxivId, part: Part) -> None:
        had = part.size
        try:
            async with self.tools.arxiv.open_pdf(arxiv_id, offset=had, etag=part.etag) as answer:
                # What is announced as too large is not begun.
                await part.expect(answer.total_bytes or 0)
                if answer.offset == 0:
                    await part.truncate()
                await part.record_etag(answer.etag)
                async for chunk in answer.chunks():
                    await part.write(chunk)
                if "html" in answer.content_type and not await part.looks_like_pdf():
                    await part.discard()
                    raise NotPdf("a web page came in place of the PDF")
        except UpstreamFaulty as err:
            if had and part.size == had:
                await part.truncate()  # what we had may be why: begin anew next time
            raise CorruptPdf(str(err)) from err

    async def _check(self, part: Part, attempt: PdfAttempt) -> None:
        """Raise BadPdf, and CorruptPdf for what another download may bring whole."""
        try:
            if not await part.looks_like_pdf():
                raise BadPdf("what came is no PDF", code=CorruptPdf.code)
            async with self._reading(attempt):
                await self.tools.extractor.check(part.path)
        except BadPdf as err:
            if err.code == ENCRYPTED:
                return
            await part.discard()
            if err.code == CorruptPdf.code:
                raise CorruptPdf(str(err)) from err
            raise

    @asynccontextmanager
    async def _reading(self, attempt: PdfAttempt) -> AsyncIterator[None]:
        """Count the read in the database while it lasts: who dies of it must leave a trace.

        Only while it lasts, and neither for the whole attempt nor while a process is
        waited for or started: a worker may be killed at any moment, and nearly all of an
        attempt's moments are spent on something else.
        """
        async with self.tools.readers.turn(attempt.row.unfinished_reads):
            await self.tools.extractor.prepare()
            self._has_read = True
            async with self.tools.database.transaction() as conn:
                await JobPaperStore(conn).begin_reading(self.job_id, self.paper)
            try:
                yield
            except ChildDied as err:  # may have been bad luck: worth another try, twice
                raise ExtractorCrashed("the process that read the PDF died") from err
            async with self.tools.database.transaction() as conn:
                await JobPaperStore(conn).end_reading(self.job_id, self.paper)

    async def _remove(self, replaced: str | None) -> None:
        """Remove the file that the row has just moved away from; what stays is found later."""
        if replaced is not None:
            with suppress(StorageUnavailable):
                await self.tools.store.remove(replaced)

    async def _record(
        self,
        attempt: PdfAttempt,
        state: PaperState,
        **what: Any,  # noqa: ANN401
    ) -> str | None:
        interrupted = attempt.crashes > 0 and state is not PaperState.DOWNLOADED
        return await self.tools.recorder.record(
            Result(
                job_id=self.job_id,
                arxiv_id=attempt.arxiv_id,
                state=state,
                was_interrupted=interrupted,
                item=self.paper,
                **what,
            )
        )
