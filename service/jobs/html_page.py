"""HTML task: brings a paper's page at arXiv into storage, and makes the paper's document of it.

As with PDFs the order makes a crash harmless: partial file, check, fsync, rename, and
only then the row. What was made of the page is stored with it and the state of the paper, in
one transaction, and only if the page was compared with the PDF that is held then.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.db.engine import Database
from service.db.html_pages import HtmlPageStore
from service.db.job_html import HtmlStart, JobHtmlStore
from service.db.jobs import JobStore
from service.domain.errors import (
    BadHtml,
    CorruptHtml,
    ExtractorCrashed,
    JudgedOtherwise,
    NotFound,
    NotHtml,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
    UpstreamUnavailable,
    status_of,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.outcomes import Fail, Outcome, Retry, Snooze, Succeed
from service.domain.papers import NO_PAPER, HtmlPage, HtmlState, HtmlVerdict
from service.extraction.pool import ChildDied
from service.extraction.quarantine import Readers
from service.files.partial_file import Part
from service.files.paths import Ending
from service.files.store import PdfStore
from service.jobs.events import log_failed
from service.jobs.fulltext import Download
from service.jobs.html_judge import HtmlReader, Judged, is_worth_keeping, judge, judge_again
from service.jobs.html_results import HtmlResult, record_html
from service.jobs.patience import patience

MAX_HTML_BYTES = 16 << 20  # more is refused whatever is in it
MOST_JUDGEMENTS = 5  # while PDFs of the same version come and go beside us
_PREFIX = "html_"


class HtmlSource(Protocol):
    """Where pages of HTML come from."""

    def open_html(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None, rank: int = 0
    ) -> AbstractAsyncContextManager[Download]:
        """The page from `offset` on, if it still is that of `etag`."""
        ...


class HtmlExtractor(HtmlReader, Protocol):
    """What reads pages of HTML, and can be made ready for it."""

    async def prepare(self) -> None:
        """Be ready to read at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlTools:
    """What the work on any page of HTML needs."""

    database: Database
    arxiv: HtmlSource
    store: PdfStore
    extractor: HtmlExtractor
    readers: Readers


@dataclass(frozen=True, slots=True)
class HtmlAttempt:
    """One try at one paper's HTML; `row` as `JobHtmlStore.begin` returned it."""

    arxiv_id: ArxivId
    row: HtmlStart

    @property
    def number(self) -> int:
        """Which try it is, counted from 1; tries that a crash cut off do not count."""
        return int(self.row.failures) + 1

    @property
    def crashes(self) -> int:
        """Tries before it that never ended."""
        return int(self.row.attempts - self.row.failures) - 1


@dataclass(slots=True)
class FetchHtml:
    """The work of an HTML task: one paper of one job.

    With `again` the page is fetched although one is held; with `is_local` never. `rank` is
    its place among those that wait for arXiv.
    """

    job_id: UUID
    paper: str  # as it was asked for: with its version, if one was named
    again: bool
    is_local: bool
    tools: HtmlTools
    rank: int = 0
    max_attempts: int = 5
    _has_read: bool = False

    async def begin(self) -> HtmlAttempt | None:
        """Count the start; None when the paper's HTML or its job is done."""
        async with self.tools.database.transaction() as conn:
            row = await JobHtmlStore(conn).begin(self.job_id, self.paper)
        if row is None:
            return None
        return HtmlAttempt(ArxivId(ArxivId.parse(self.paper).paper, row.version), row)

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

    async def conclude(
        self, attempt: HtmlAttempt, outcome: Outcome, error: Exception | None
    ) -> None:
        """Record a failure for good, or give the start back."""
        match outcome:
            case Succeed():
                return
            case Fail(code=code, message=message) if isinstance(error, UpstreamUnavailable):
                await self._fail_job(code, message, status_of(error))
            case Fail() if isinstance(error, Unavailable):
                await self._record(attempt, HtmlState.UNAVAILABLE, attempts=attempt.row.attempts)
            case Fail(code=code, message=message):
                code = code if code.startswith(_PREFIX) else f"{_PREFIX}{code}"
                what = JobError(
                    stage=Stage.PDF_PROCESSING,
                    message=message,
                    code=code,
                    arxiv_id=self.paper,
                    attempt=attempt.number,
                )
                await self._record(
                    attempt,
                    HtmlState.FAILED,
                    reason=code,
                    error=what,
                    attempts=attempt.row.attempts,
                    upstream_status=status_of(error),
                )
            case Retry() | Snooze():
                await self._release(attempt, outcome)

    async def _release(self, attempt: HtmlAttempt, outcome: Retry | Snooze) -> None:
        """Give the start back; the job row first, as everywhere."""
        async with self.tools.database.transaction() as conn:
            if isinstance(outcome, Snooze) and outcome.waiting_for is not None:
                await JobStore(conn).wait(self.job_id, outcome.waiting_for)
            await JobHtmlStore(conn).release(
                self.job_id,
                self.paper,
                attempts=attempt.row.attempts,
                failed=isinstance(outcome, Retry),
                has_read=self._has_read,
            )

    async def _fail_job(self, code: str, message: str, upstream_status: int | None) -> None:
        """Fail the whole job: arXiv has been unavailable for too long."""
        what = JobError(stage=Stage.PDF_PROCESSING, message=message, code=code)
        async with self.tools.database.transaction() as conn:
            failed = await JobStore(conn).fail(self.job_id)
            if failed is not None:
                await JobStore(conn).add_errors(self.job_id, [what])
        if failed is not None:
            log_failed(failed, what, upstream_status=upstream_status)

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
        had = part.size
        asked = self.tools.arxiv.open_html(arxiv_id, offset=had, etag=part.etag, rank=self.rank)
        try:
            async with asked as answer:
                await part.expect(answer.total_bytes or 0)  # too large: not begun
                if answer.offset == 0:
                    await part.truncate()
                await part.record_etag(answer.etag)
                async for chunk in answer.chunks():
                    await part.write(chunk)
        except UpstreamFaulty as err:
            if had and part.size == had:
                await part.truncate()  # what we had may be why: begin anew next time
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

    @asynccontextmanager
    async def _reading(self, attempt: HtmlAttempt) -> AsyncIterator[None]:
        """Count the read in the database while it lasts, as with PDFs."""
        async with self.tools.readers.turn(attempt.row.unfinished_reads):
            await self.tools.extractor.prepare()
            self._has_read = True
            await self._count_read(begins=True)
            try:
                yield
            except ChildDied as err:  # may have been bad luck: worth another try, twice
                raise ExtractorCrashed("the process that read the HTML died") from err
            await self._count_read(begins=False)

    async def _count_read(self, *, begins: bool) -> None:
        async with self.tools.database.transaction() as conn:
            await JobHtmlStore(conn).count_read(self.job_id, self.paper, begins=begins)

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
