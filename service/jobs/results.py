"""Batches PDF results into transactions; counters are idempotent.

Many papers of a job end at nearly the same moment, and each moves a counter of
the same row. So results wait a moment to share one, and one transaction records
them all: the job rows first (that order keeps it clear of the harvest), then
papers, then states. A counter moves by the states that really changed.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.documents import DocumentStore
from service.db.engine import Database
from service.db.html_pages import HtmlPageStore
from service.db.job_html import JobHtmlStore
from service.db.job_papers import JobPaperStore, Move
from service.db.jobs import JobStore
from service.db.paper_changes import ChangeStore
from service.db.papers import PaperStore
from service.db.retry import with_retry
from service.db.version_files import VersionFileStore
from service.domain.errors import DatabaseUnavailable, JudgedOtherwise
from service.domain.identifiers import ArxivId
from service.domain.jobs import EndedJob, JobError
from service.domain.papers import (
    DocumentSource,
    ExtractedText,
    PaperState,
    PdfState,
    StoredPdf,
    TextState,
)
from service.jobs.events import log_completed, log_pdf_failed
from service.jobs.html_judge import Judged
from service.jobs.html_results import save_page

MAX_BATCH = 100
GATHERING = timedelta(milliseconds=50)  # how long a result waits for others

_COUNTER_OF = {
    PaperState.DOWNLOADED: "pdfs_downloaded",
    PaperState.PROCESSED: "pdfs_processed",
    PaperState.FAILED: "pdfs_failed",
    PaperState.UNAVAILABLE: "pdfs_unavailable",
}
_NO_FILE = {PaperState.FAILED: PdfState.FAILED, PaperState.UNAVAILABLE: PdfState.UNAVAILABLE}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One paper of one job has reached `state`.

    `pdf` comes with `downloaded`, `text` with `processed` (None: another job
    stored it already) and `sha256`, that of the file which it is from (None: no document
    is stored); `html` is the page of HTML that was compared with that text (None: none is
    held); `error` and `reason` with `failed` and `unavailable`.
    With `attempts` it counts only if no other attempt at the paper has begun since:
    a failure of a worker that was thought dead is not the paper's.
    """

    job_id: UUID
    arxiv_id: ArxivId
    state: PaperState
    pdf: StoredPdf | None = None
    text: ExtractedText | None = None
    sha256: str | None = None
    html: Judged | None = None
    reason: str | None = None
    error: JobError | None = None
    attempts: int | None = None
    upstream_status: int | None = None  # of arXiv's response, for the log
    was_interrupted: bool = False
    item: str = ""  # the paper as the job asked for it, if with its version

    @property
    def key(self) -> tuple[UUID, str]:
        """The job, and its item."""
        return self.job_id, self.item or self.arxiv_id.paper


Entry = tuple[Result, "asyncio.Future[str | None]"]


@dataclass(slots=True)
class ResultWriter:
    """Records results in batches; `run` it beside the work that calls `record`.

    At most one batch is being written at a time; what comes meanwhile waits, and
    its senders with it, so the buffer is bounded by their number.
    """

    database: Database
    gathering: timedelta = GATHERING
    keep_versions: bool = False
    _waiting: list[Entry] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def record(self, result: Result) -> str | None:
        """Return when `result` is committed: the path of the file that its `pdf` took the place of.

        With `text` it is that of the older version, which is not kept any longer.

        No row names that file any more. Raises DatabaseUnavailable when it took too long, and
        JudgedOtherwise when another page of HTML is held than the one that its text was
        compared with; nothing is recorded then.
        """
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((result, done))
        self._came.set()
        return await done

    async def run(self) -> None:
        """Write batches until cancelled."""
        while True:
            await self._came.wait()
            await asyncio.sleep(self.gathering.total_seconds())
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            if not self._waiting:
                self._came.clear()
            await self._write([entry for entry in batch if not entry[1].cancelled()])

    async def _write(self, batch: Sequence[Entry]) -> None:
        try:
            recorded = await with_retry(partial(self._commit, [result for result, _ in batch]))
        except DatabaseUnavailable as err:
            _refuse(batch, err)
        except (SQLAlchemyError, JudgedOtherwise) as err:
            if len(batch) == 1:
                _refuse(batch, err)
                return
            # one of them is wrong: each for itself
            if isinstance(err, SQLAlchemyError):
                _log.exception("batch failed, writing results one by one")
            for entry in batch:
                await self._write([entry])
        else:
            recorded.log()
            for (_, done), path in zip(batch, recorded.left, strict=True):
                if not done.done():  # else its sender was cancelled meanwhile
                    done.set_result(path)

    async def _commit(self, results: Sequence[Result]) -> "_Recorded":
        async with self.database.transaction() as conn:
            return await _record(conn, results, keep_versions=self.keep_versions)


def _refuse(batch: Sequence[Entry], error: Exception) -> None:
    """Let the senders know; one that was cancelled meanwhile does not mind."""
    for _, done in batch:
        if not done.done():
            done.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a transaction did: the file that each result replaced, and what there is to log."""

    left: Sequence[str | None]
    failed: Sequence[Result]
    completed: Sequence[EndedJob]

    def log(self) -> None:
        for result in self.failed:
            if result.error is not None:
                log_pdf_failed(result.job_id, result.error, upstream_status=result.upstream_status)
        for job in self.completed:
            log_completed(job)


async def _record(
    conn: AsyncConnection, results: Sequence[Result], *, keep_versions: bool
) -> _Recorded:
    """Write `results` in the transaction of `conn`."""
    jobs = JobStore(conn)
    running = await jobs.lock(sorted({result.job_id for result in results}))
    left = await _save_files(conn, results, keep_versions=keep_versions)
    stored = [result for result in results if result.pdf is not None or result.text is not None]
    await ChangeStore(conn).name_jobs({one.arxiv_id.paper: one.job_id for one in stored})
    counters: dict[UUID, Counter[str]] = {}
    failed: list[Result] = []
    ended: list[tuple[UUID, str]] = []
    for state in _COUNTER_OF:
        of_state = [r for r in results if r.state is state and r.job_id in running]
        by_paper = {r.key: r for r in of_state}  # each once
        moved = await JobPaperStore(conn).move(
            [Move(*key, state, r.reason, r.attempts) for key, r in by_paper.items()]
        )
        changed = [result for key, result in by_paper.items() if key in moved]
        for result in changed:
            counters.setdefault(result.job_id, Counter()).update(_steps(result))
        if state is not PaperState.DOWNLOADED:
            ended += moved
        for result in changed:
            if result.error is not None:
                await jobs.add_errors(result.job_id, [result.error])
                failed.append(result)
    made = await JobHtmlStore(conn).count_documents(ended)
    for job_id, steps in made.items():
        counters[job_id].update(steps)
    for job_id, steps in sorted(counters.items()):
        await jobs.move_counters(job_id, steps)
    return _Recorded(left, failed, await jobs.complete_finished(list(counters)))


def _steps(result: Result) -> dict[str, int]:
    steps = {_COUNTER_OF[result.state]: 1, "resumed": int(result.was_interrupted)}
    if result.state is not PaperState.DOWNLOADED:
        steps["pdfs_pending"] = -1
    return steps


async def _save_files(
    conn: AsyncConnection, results: Sequence[Result], *, keep_versions: bool
) -> Sequence[str | None]:
    """Record what is true of the papers themselves, whatever became of the jobs."""
    papers = PaperStore(conn)
    await papers.lock({result.arxiv_id.paper for result in results})
    read = {result.arxiv_id.paper for result in results if result.text is not None}
    if keep_versions and read:
        await VersionFileStore(conn).keep_older(read)
    left: list[str | None] = []
    for result in results:
        left.append(None)
        if result.pdf is not None:
            left[-1] = await papers.save_file(result.arxiv_id, result.pdf)
        elif result.text is not None:
            await _save_text(conn, result, result.text)
        elif result.state in _NO_FILE:
            await papers.save_no_file(result.arxiv_id, _NO_FILE[result.state])
            if result.reason == TextState.ENCRYPTED:
                await papers.save_encrypted(result.arxiv_id)
    if read:
        dropped = await VersionFileStore(conn).drop_replaced(read)
        paths = {one.arxiv_id: one.path for one in dropped}
        for number, result in enumerate(results):
            if result.text is not None:  # of several versions one goes now, the rest is found
                left[number] = paths.pop(result.arxiv_id.paper, None)
    return left


async def _save_text(conn: AsyncConnection, result: Result, text: ExtractedText) -> None:
    """The text, the document that was made with it, and that of the HTML beside it."""
    arxiv_id, sha256 = result.arxiv_id, result.sha256
    if not await PaperStore(conn).save_text(arxiv_id, text) or sha256 is None:
        return
    if text.document is None:
        await DocumentStore(conn).remove(arxiv_id, DocumentSource.PDF)
    else:
        await DocumentStore(conn).save(arxiv_id, text.document, input_sha256=sha256)
    page = await HtmlPageStore(conn).find(arxiv_id)
    held = None if page is None else page.file
    if held != (None if result.html is None else result.html.page.file):
        raise JudgedOtherwise("the HTML has changed while it was compared with the PDF")
    if result.html is not None:
        await save_page(conn, arxiv_id, result.html)
