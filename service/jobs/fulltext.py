"""PDF task: downloads a paper's PDF into storage, and its text into the database.

The order is what makes a crash harmless: partial file, check, fsync, rename,
and only then the row; the text after that. A task that runs again finds what
the one before it left: a partial file to go on with, or a file that only wants
its text.
"""

from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.html_pages import HtmlPageStore
from service.db.job_papers import JobPaperStore, PaperStart
from service.domain.errors import (
    BadPdf,
    CorruptPdf,
    JudgedOtherwise,
    NotFound,
    NotPdf,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
    status_of,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.papers import ExtractedText, HtmlVerdict, PaperState, StoredPdf
from service.extraction.html_question import HtmlQuestion
from service.files.partial_file import Part
from service.jobs.file_task import Attempt, Download, FileTask, FileTools, Reader, download
from service.jobs.html_judge import Judged, judge_again, refusal
from service.jobs.patience import patience
from service.jobs.results import Result, ResultWriter

PdfAttempt = Attempt[PaperStart]

MOST_JUDGEMENTS = 5  # of the HTML beside a PDF, while others come and go
ENCRYPTED = "encrypted"  # a good file whose text we cannot have


class PdfSource(Protocol):
    """Where PDFs come from."""

    def open_pdf(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        """The PDF from `offset` on, if it still is the file of `etag`."""
        ...


class TextSource(Reader, Protocol):
    """What reads PDFs, and the HTML beside them."""

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
class PdfTools(FileTools):
    """What the work on any PDF needs."""

    arxiv: PdfSource
    extractor: TextSource
    recorder: ResultWriter


@dataclass(slots=True)
class FetchPdf(FileTask[PaperStart]):
    """The work of a pdf task."""

    kind = "PDF"
    tools: PdfTools

    def _attempts(self, conn: AsyncConnection) -> JobPaperStore:
        return JobPaperStore(conn)

    async def run(self, attempt: PdfAttempt) -> None:
        """Bring the file in unless it is there, then its text."""
        self.tools.readers.check(attempt.row.unfinished_reads)
        started, measurements = monotonic(), self.tools.database.measurements
        pdf = await self._usable(attempt)
        if pdf is None:
            pdf = await self._fetched(attempt)
        if attempt.row.state == PaperState.PENDING or pdf != attempt.row.held:
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
        has_html = attempt.row.has_html  # what has come since is noticed when this is recorded
        for _ in range(MOST_JUDGEMENTS):
            html = await self._judged(attempt, pdf, text) if has_html else None
            try:
                replaced = await self._record(
                    attempt, PaperState.PROCESSED, text=text, sha256=pdf.sha256, html=html
                )
            except JudgedOtherwise:  # another page has come meanwhile
                has_html = True
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

    async def _give_up(self, attempt: PdfAttempt, what: JobError, error: Exception | None) -> None:
        gone = isinstance(error, Unavailable)
        await self._record(
            attempt,
            PaperState.UNAVAILABLE if gone else PaperState.FAILED,
            reason=what.code,
            error=what,
            attempts=attempt.row.attempts,
            upstream_status=status_of(error),
        )

    async def _usable(self, attempt: PdfAttempt) -> StoredPdf | None:
        """The file that we hold, if it is whole and this job may use it."""
        held = attempt.row.held
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
        asked = self.tools.arxiv.open_pdf(arxiv_id, offset=part.size, etag=part.etag)
        try:
            content_type = await download(asked, part)
        except UpstreamFaulty as err:
            raise CorruptPdf(str(err)) from err
        if "html" in content_type and not await part.looks_like_pdf():
            await part.discard()
            raise NotPdf("a web page came in place of the PDF")

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
