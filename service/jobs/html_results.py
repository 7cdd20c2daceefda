"""Records what became of the HTML of one paper of one job: page, document, state and counters."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.documents import DocumentStore
from service.db.engine import Database
from service.db.html_pages import HtmlPageStore
from service.db.job_html import JobHtmlStore
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.db.retry import with_retry
from service.domain.errors import JudgedOtherwise
from service.domain.identifiers import ArxivId
from service.domain.jobs import EndedJob, JobError
from service.domain.papers import DocumentSource, HtmlState
from service.jobs.events import log_completed, log_html_failed, log_html_refused
from service.jobs.html_judge import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlResult:
    """The HTML of one paper of one job has reached `state`.

    `judged`: a page that is held from now on. `reason` is a stable word, `error` comes with
    `failed`. With `attempts` it counts only if no other attempt has begun since.
    """

    job_id: UUID
    arxiv_id: ArxivId
    state: HtmlState
    judged: Judged | None = None
    reason: str | None = None
    error: JobError | None = None
    attempts: int | None = None
    upstream_status: int | None = None
    was_interrupted: bool = False
    item: str = ""  # the paper as the job asked for it, if with its version


class _Recorded(NamedTuple):
    """The files that no row names any more, whether the state moved, and the jobs that ended."""

    left: Sequence[str]
    has_moved: bool
    completed: Sequence[EndedJob]


async def record_html(database: Database, result: HtmlResult) -> Sequence[str]:
    """Record `result` in one transaction; returns paths of files that no row names any more.

    Raises JudgedOtherwise when the page was compared with another PDF than the one that is
    held now, and DatabaseUnavailable.
    """
    recorded = await with_retry(partial(_commit, database, result))
    if recorded.has_moved:
        if result.error is not None:
            log_html_failed(result.job_id, result.error, upstream_status=result.upstream_status)
        elif result.state is HtmlState.REFUSED:
            log_html_refused(result.job_id, result.arxiv_id.paper, result.reason)
    for job in recorded.completed:
        log_completed(job)
    return recorded.left


async def save_page(conn: AsyncConnection, arxiv_id: ArxivId, judged: Judged) -> list[str]:
    """Store a page and the document that is made of it; see `HtmlPageStore.save`."""
    left = await HtmlPageStore(conn).save(arxiv_id, judged.page, judged.verdict)
    documents = DocumentStore(conn)
    if judged.verdict.document is None:
        await documents.remove(arxiv_id, DocumentSource.HTML)
    else:
        sha256 = judged.page.file.sha256
        await documents.save(arxiv_id, judged.verdict.document, input_sha256=sha256)
    return left


async def _commit(database: Database, result: HtmlResult) -> _Recorded:
    """The job row first, then the paper, then its state: as everywhere."""
    async with database.transaction() as conn:
        running = await JobStore(conn).lock([result.job_id])
        await PaperStore(conn).lock([result.arxiv_id.paper])
        left: Sequence[str] = ()
        if result.judged is not None:
            pdf = await HtmlPageStore(conn).pdf_sha256(result.arxiv_id)
            if pdf != result.judged.page.pdf_sha256:
                raise JudgedOtherwise("the PDF has changed while the HTML was compared with it")
            left = await save_page(conn, result.arxiv_id, result.judged)
        if result.job_id not in running:
            return _Recorded(left, has_moved=False, completed=())
        return await _move(conn, result, left)


async def _move(conn: AsyncConnection, result: HtmlResult, left: Sequence[str]) -> _Recorded:
    store, jobs = JobHtmlStore(conn), JobStore(conn)
    item = result.item or result.arxiv_id.paper
    has_moved = await store.move(
        result.job_id, item, result.state, reason=result.reason, attempts=result.attempts
    )
    if not has_moved:
        return _Recorded(left, has_moved=False, completed=())
    counters = Counter({"html_pending": -1, "resumed": int(result.was_interrupted)})
    made = await store.count_documents([(result.job_id, item)])
    counters.update(made.get(result.job_id, {}))
    await jobs.move_counters(result.job_id, counters)
    if result.error is not None:
        await jobs.add_errors(result.job_id, [result.error])
    completed = await jobs.complete_finished([result.job_id])
    return _Recorded(left, has_moved=True, completed=completed)
