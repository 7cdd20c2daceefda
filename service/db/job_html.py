"""The HTML of a job's papers in SQL: its state moves once, and what documents the job led to."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    case,
    func,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy import cast as sql_cast

from service.db.attempts import AttemptStore
from service.db.jobs import waited_for_arxiv
from service.db.rows import first_of
from service.db.tables import job_papers, jobs, papers
from service.domain.jobs import JobStatus
from service.domain.papers import HtmlState, PaperState

PDF_NOT_WANTED = "pdf_not_wanted"

_COUNTED = text(
    "SELECT jp.job_id, 'documents_' || d.source AS counter, count(*)::integer AS papers"
    " FROM unnest(CAST(:jobs AS uuid[]), CAST(:papers AS text[])) AS given (job_id, item)"
    " JOIN job_papers jp USING (job_id, item)"
    " JOIN LATERAL (SELECT source FROM documents d WHERE d.arxiv_id = jp.arxiv_id"
    " AND d.version = jp.version ORDER BY source LIMIT 1) AS d ON true"
    " WHERE jp.state NOT IN ('pending', 'downloaded') AND jp.html_state IS DISTINCT FROM 'pending'"
    " GROUP BY jp.job_id, d.source"
)


class HtmlStart(NamedTuple):
    """A start on a paper's HTML (see `Start`)."""

    version: int
    attempts: int
    failures: int
    unfinished_reads: int
    waited: timedelta


class JobHtmlStore(AttemptStore[HtmlStart]):
    """SQL on HTML in `job_papers`, on a connection whose transaction is the caller's."""

    attempts = job_papers.c.html_attempts
    failures = job_papers.c.html_failures
    unfinished_reads = job_papers.c.html_unfinished_reads

    @staticmethod
    def is_open(job_id: UUID, item: str) -> list[ColumnElement[bool]]:
        """A paper whose HTML is pending."""
        return [
            job_papers.c.job_id == job_id,
            job_papers.c.item == item,
            job_papers.c.html_state == HtmlState.PENDING,
        ]

    async def begin(self, job_id: UUID, item: str) -> HtmlStart | None:
        """Count a start on the paper's HTML before any work is done on it.

        None when there is nothing to do: it is done with, or the job is.
        """
        of_job = and_(jobs.c.id == job_papers.c.job_id, jobs.c.status == JobStatus.RUNNING)
        statement = (
            update(job_papers)
            .where(
                *self.is_open(job_id, item),
                papers.c.arxiv_id == job_papers.c.arxiv_id,
                select(jobs.c.id).where(of_job).exists(),
            )
            .values(html_attempts=job_papers.c.html_attempts + 1)
            .returning(
                func.coalesce(job_papers.c.version, papers.c.version).label("version"),
                job_papers.c.html_attempts.label("attempts"),
                job_papers.c.html_failures.label("failures"),
                job_papers.c.html_unfinished_reads.label("unfinished_reads"),
                select(waited_for_arxiv())
                .where(jobs.c.id == job_papers.c.job_id)
                .scalar_subquery()
                .label("waited"),
            )
        )
        return first_of(HtmlStart, await self._conn.execute(statement))

    async def move(
        self,
        job_id: UUID,
        item: str,
        state: HtmlState,
        *,
        reason: str | None,
        attempts: int | None,
    ) -> bool:
        """Let the HTML of a paper reach `state`; False if it had reached one before.

        A paper whose PDF is not wanted is done with then. With `attempts` only if that is
        still the number of attempts.
        """
        wants_no_pdf = sql_cast(jobs.c.request["process_pdfs"], Text) == "false"
        is_done = and_(job_papers.c.state == PaperState.PENDING, wants_no_pdf)
        is_ours: ColumnElement[bool] = true()
        if attempts is not None:
            is_ours = job_papers.c.html_attempts == attempts
        statement = (
            update(job_papers)
            .where(*self.is_open(job_id, item), is_ours, jobs.c.id == job_papers.c.job_id)
            .values(
                html_state=state,
                html_reason=reason,
                state=case((is_done, literal(str(PaperState.SKIPPED))), else_=job_papers.c.state),
                reason=case((is_done, literal(PDF_NOT_WANTED)), else_=job_papers.c.reason),
                updated_at=func.clock_timestamp(),
            )
        )
        return (await self._conn.execute(statement)).rowcount == 1

    async def count_documents(self, moved: Iterable[tuple[UUID, str]]) -> dict[UUID, Counter[str]]:
        """What papers that have just been moved add to the counters of documents of their jobs.

        Each counts when nothing more is to be done for it, by the document that it has then.
        """
        pairs = list(moved)
        if not pairs:
            return {}
        given = {"jobs": [one for one, _ in pairs], "papers": [one for _, one in pairs]}
        counters: dict[UUID, Counter[str]] = {}
        for row in await self._conn.execute(_COUNTED, given):
            counters.setdefault(row.job_id, Counter())[row.counter] += row.papers
        return counters
