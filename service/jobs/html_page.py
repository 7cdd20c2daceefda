"""HTML task: brings a paper's page at arXiv into storage, and makes the paper's document of it.

As with PDFs the order makes a crash harmless: partial file, check, fsync, rename, and
only then the row. What was made of the page is stored with it and the state of the paper, in
one transaction, and only if the page was compared with the PDF that is held then.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.html_pages import HtmlPageStore
from service.db.job_html import HtmlStart, JobHtmlStore
from service.domain.errors import (
    BadHtml,
    CorruptHtml,
    JudgedOtherwise,
    NotFound,
    NotHtml,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
    status_of,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.papers import NO_PAPER, HtmlPage, HtmlState, HtmlVerdict
from service.files.partial_file import Part
from service.files.paths import Ending
from service.files.store import PdfStore
from service.jobs.file_task import Attempt, Download, FileTask, FileTools, Reader, download
from service.jobs.html_judge import HtmlReader, Judged, is_worth_keeping, judge, judge_again
from service.jobs.html_results import HtmlResult, record_html
from service.jobs.patience import patience

MAX_HTML_BYTES = 16 << 20  # more is refused whatever is in it
MOST_JUDGEMENTS = 5  # while PDFs of the same version come and go beside us
_PREFIX = "html_"

HtmlAttempt = Attempt[HtmlStart]


class HtmlSource(Protocol):
    """Where pages of HTML come from."""

    def open_html(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None, rank: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """The page from `offset` on, if it still is that of `etag`."""
        ...


class HtmlExtractor(HtmlReader, Reader, Protocol):
    """What reads pages of HTML, and can be made ready for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlTools(FileTools):
    """What the work on any page of HTML needs."""

    arxiv: HtmlSource
    extractor: HtmlExtractor


@dataclass(slots=True)
class FetchHtml(FileTask[HtmlStart]):
    """The work of an HTML task; `rank` is its place among those that wait for arXiv."""

    kind = "HTML"
    tools: HtmlTools
    _stage: Stage = Stage.PDF_PROCESSING
    rank: int = 0

    def _attempts(self, conn: AsyncConnection) -> JobHtmlStore:
        return JobHtmlStore(conn)

    async def run(self, attempt: HtmlAttempt) -> None:
        """Bring the page in unless it is there, make the document, and record both."""
        self.tools.readers.check(attempt.row.unfinished_reads)
        page = await self._held(attempt.arxiv_id)
        judged: Judged | None = None
        if page is None:
            page, verdict = await self._fetched(attempt)
            if page is None:
                await self._record(attempt, HtmlState.REFUSED, reason=verdict.refused)
                return
            judged = Judged(page, verdict)
        for _ in range(MOST_JUDGEMENTS):
            judged = judged or await self._judged_again(attempt, page)
            state = HtmlState.REFUSED if judged.refused else HtmlState.STORED
            try:
                await self._record(attempt, state, reason=judged.refused, judged=judged)
            except JudgedOtherwise:
                judged = None
            else:
                return
        raise JudgedOtherwise("the PDF of the paper changes all the time")

    async def _give_up(self, attempt: HtmlAttempt, what: JobError, error: Exception | None) -> None:
        attempts = attempt.row.attempts
        if isinstance(error, Unavailable):
            await self._record(attempt, HtmlState.UNAVAILABLE, attempts=attempts)
            return
        if not (what.code or "").startswith(_PREFIX):
            what = replace(what, code=f"{_PREFIX}{what.code}")
        await self._record(
            attempt,
            HtmlState.FAILED,
            reason=what.code,
            error=what,
            attempts=attempts,
            upstream_status=status_of(error),
        )

    async def _held(self, arxiv_id: ArxivId) -> HtmlPage | None:
        """The page that we hold, if it is whole and this job may use it."""
        if self.again:
            return None
        async with self.tools.database.transaction() as conn:
            page = await HtmlPageStore(conn).find(arxiv_id)
        is_empty = page is not None and page.refused in NO_PAPER
        if page is not None and (self.is_local or not is_empty):
            file = page.file
            if await self.tools.store.verify(file.path, file.sha256, file.size_bytes):
                return page
        if self.is_local:
            raise BadHtml("the HTML is not in storage any more", code="html_missing")
        return None

    async def _fetched(self, attempt: HtmlAttempt) -> tuple[HtmlPage | None, HtmlVerdict]:
        """The page, downloaded from where an earlier try was cut off; None if it is not kept."""
        arxiv_id, tools = attempt.arxiv_id, self.tools
        async with tools.store.partial(arxiv_id, Ending.HTML, max_bytes=MAX_HTML_BYTES) as part:
            with patience(attempt.row.waited):
                await self._download(arxiv_id, part)
            async with tools.database.transaction() as conn:
                found = await HtmlPageStore(conn).find_text(arxiv_id)
            sha256, text = found or (None, None)
            try:
                async with self._reading(attempt):
                    verdict = await judge(tools.extractor, part.path, arxiv_id, text)
            except NotHtml:
                await part.discard()
                raise
            if not is_worth_keeping(verdict):
                await part.discard()
                return None, verdict
            etag = part.etag
            file = await tools.store.commit(part, arxiv_id)
        return HtmlPage(file=file, etag=etag, pdf_sha256=sha256), verdict

    async def _download(self, arxiv_id: ArxivId, part: Part) -> None:
        open_html = self.tools.arxiv.open_html
        asked = open_html(arxiv_id, offset=part.size, etag=part.etag, rank=self.rank)
        try:
            await download(asked, part)
        except UpstreamFaulty as err:
            raise CorruptHtml(str(err)) from err
        if not part.size:
            raise CorruptHtml("the page came empty")

    async def _judged_again(self, attempt: HtmlAttempt, page: HtmlPage) -> Judged:
        """The page in storage, compared with the PDF that is held now."""
        arxiv_id, tools = attempt.arxiv_id, self.tools
        async with tools.database.transaction() as conn:
            found = await HtmlPageStore(conn).find_text(arxiv_id)
        sha256, text = found or (None, None)
        try:
            async with tools.store.local_copy(page.file) as path, self._reading(attempt):
                verdict = await judge_again(tools.extractor, path, arxiv_id, text)
        except NotFound as err:  # it was lost in this very moment
            raise StorageUnavailable("The stored HTML is missing") from err
        return Judged(HtmlPage(file=page.file, etag=page.etag, pdf_sha256=sha256), verdict)

    async def _record(
        self,
        attempt: HtmlAttempt,
        state: HtmlState,
        **what: Any,  # noqa: ANN401
    ) -> None:
        """Record the result; files that it leaves without a row are removed."""
        left = await record_html(
            self.tools.database,
            HtmlResult(
                job_id=self.job_id,
                arxiv_id=attempt.arxiv_id,
                state=state,
                was_interrupted=attempt.crashes > 0,
                item=self.paper,
                **what,
            ),
        )
        await remove_all(self.tools.store, left)


async def remove_all(store: PdfStore, paths: Sequence[str]) -> None:
    """Remove files that no row names; what stays is found later."""
    for path in paths:
        with suppress(StorageUnavailable):
            await store.remove(path)
