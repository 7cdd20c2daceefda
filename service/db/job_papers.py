"""Papers of a job in SQL, each with its own state; a state only moves forward, once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from service.db.attempts import AttemptStore
from service.db.conditions import is_any_of
from service.db.html_tables import html_pages
from service.db.jobs import waited_for_arxiv
from service.db.rows import first_of, typed
from service.db.tables import job_papers, jobs, paper_versions, papers
from service.domain.jobs import JobStatus
from service.domain.papers import HtmlState, PaperState, StoredPdf

OPEN_STATES = (PaperState.PENDING, PaperState.DOWNLOADED)

# which states a paper may come from; every other change is somebody's late news
_BEFORE = {
    PaperState.DOWNLOADED: (PaperState.PENDING,),
    PaperState.PROCESSED: (PaperState.DOWNLOADED,),
    PaperState.FAILED: OPEN_STATES,
    PaperState.UNAVAILABLE: OPEN_STATES,
}

_MET = text(
    "WITH RECURSIVE retried AS (SELECT id, retry_of FROM jobs WHERE id = :job"
    " UNION SELECT j.id, j.retry_of FROM jobs j JOIN retried r ON j.id = r.retry_of)"
    " SELECT count(DISTINCT p.item) FROM job_papers p JOIN retried r ON p.job_id = r.id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJobPaper:
    """A paper that a job touches for the first time.

    `pinned`: the version that was asked for by its number; 0: the newest.
    """

    arxiv_id: str
    version: int | None
    state: PaperState
    pinned: int = 0
    reason: str | None = None
    html_state: HtmlState | None = None
    html_reason: str | None = None

    @property
    def item(self) -> str:
        """The paper as it was asked for, with its version if one was named."""
        return f"{self.arxiv_id}v{self.pinned}" if self.pinned else self.arxiv_id


@dataclass(frozen=True, slots=True)
class Move:
    """A paper of a job reaching `state`; `reason` is a stable word, or None.

    With `attempts` only if that is still the number of attempts at the paper.
    """

    job_id: UUID
    item: str
    state: PaperState
    reason: str | None = None
    attempts: int | None = None


class ListedJobPaper(NamedTuple):
    """A paper of a job; `title` is None where arXiv does not know the paper."""

    item: str
    arxiv_id: str
    version: int | None
    state: str
    attempts: int
    failures: int
    reason: str | None
    updated_at: datetime
    html_state: str | None
    html_reason: str | None
    title: str | None


class PaperStart(NamedTuple):
    """A start on a paper's PDF (see `Start`), and what is held of its file and of its HTML."""

    version: int
    state: str
    attempts: int
    failures: int
    unfinished_reads: int
    pdf_path: str | None
    pdf_sha256: str | None
    pdf_bytes: int | None
    has_html: bool
    waited: timedelta

    @property
    def held(self) -> StoredPdf | None:
        """The file that the database says we have."""
        return StoredPdf.of(self.pdf_path, self.pdf_sha256, self.pdf_bytes)


class JobPaperStore(AttemptStore[PaperStart]):
    """All SQL on `job_papers`, on a connection whose transaction is the caller's."""

    attempts = job_papers.c.attempts
    failures = job_papers.c.failures
    unfinished_reads = job_papers.c.unfinished_reads

    @staticmethod
    def is_open(job_id: UUID, item: str) -> list[ColumnElement[bool]]:
        """A paper without a final state."""
        return [
            job_papers.c.job_id == job_id,
            job_papers.c.item == item,
            job_papers.c.state.in_(OPEN_STATES),
        ]

    async def known(self, job_id: UUID, items: Iterable[str]) -> set[str]:
        """Those of `items` (ids as they were asked for) that the job has met before."""
        statement = select(job_papers.c.item).where(
            job_papers.c.job_id == job_id,
            is_any_of(job_papers.c.item, items),
        )
        return set((await self._conn.execute(statement)).scalars())

    async def known_papers(self, job_id: UUID, arxiv_ids: Iterable[str]) -> set[str]:
        """Those of `arxiv_ids` (without version) of which the job has met any version before."""
        statement = select(job_papers.c.arxiv_id).where(
            job_papers.c.job_id == job_id,
            is_any_of(job_papers.c.arxiv_id, arxiv_ids),
        )
        return set((await self._conn.execute(statement)).scalars())

    async def count_with_retried(self, job_id: UUID) -> int:
        """How many papers the job, and those that it is a retry of in turn, have met: each once."""
        counted = await self._conn.execute(_MET, {"job": job_id})
        count: int = counted.scalar_one()
        return count

    async def list_of_job(
        self, job_id: UUID, states: Sequence[PaperState], *, limit: int, after: str = ""
    ) -> Sequence[ListedJobPaper]:
        """Papers of a job in these states, by id, behind the item `after`; at most `limit`.

        Each state is read from its own range of the index.
        """
        ranges = [
            select(job_papers)
            .where(
                job_papers.c.job_id == job_id,
                job_papers.c.state == state,
                job_papers.c.item > after,
            )
            .order_by(job_papers.c.item)
            .limit(limit)
            .subquery()
            for state in states
        ]
        merged = union_all(*(select(one) for one in ranges)).subquery()
        shown = [merged.c[name] for name in ListedJobPaper._fields if name != "title"]
        statement: Select[Any] = (
            select(*shown, papers.c.title)
            .outerjoin_from(merged, papers, papers.c.arxiv_id == merged.c.arxiv_id)
            .order_by(merged.c.item)
            .limit(limit)
        )
        return typed(ListedJobPaper, await self._conn.execute(statement))

    async def add(self, job_id: UUID, batch: Sequence[NewJobPaper]) -> None:
        """Record papers that the job has not met before (see `known`, with the job locked)."""
        if not batch:
            return
        await self._conn.execute(
            insert(job_papers),
            [
                {
                    "job_id": job_id,
                    "arxiv_id": paper.arxiv_id,
                    "version": paper.version,
                    "pinned": paper.pinned,
                    "state": paper.state,
                    "reason": paper.reason,
                    "html_state": paper.html_state,
                    "html_reason": paper.html_reason,
                }
                for paper in batch
            ],
        )

    async def begin(self, job_id: UUID, item: str) -> PaperStart | None:
        """Count a start on the paper before any work is done on it.

        None when there is nothing to do: the paper has its final state, or the job has.
        """
        statement = (
            update(job_papers)
            .where(
                *self.is_open(job_id, item),
                papers.c.arxiv_id == job_papers.c.arxiv_id,
                select(jobs.c.id)
                .where(jobs.c.id == job_papers.c.job_id, jobs.c.status == JobStatus.RUNNING)
                .exists(),
            )
            .values(attempts=job_papers.c.attempts + 1)
            .returning(
                _target().label("version"),
                job_papers.c.state,
                job_papers.c.attempts,
                job_papers.c.failures,
                job_papers.c.unfinished_reads,
                *(_of_target(name) for name in ("pdf_path", "pdf_sha256", "pdf_bytes")),
                _has_html().label("has_html"),
                select(waited_for_arxiv())
                .where(jobs.c.id == job_papers.c.job_id)
                .scalar_subquery()
                .label("waited"),
            )
        )
        return first_of(PaperStart, await self._conn.execute(statement))

    async def move(self, moves: Sequence[Move]) -> set[tuple[UUID, str]]:
        """Apply the moves that still apply; returns the (job, item) pairs that changed.

        All moves must be to one state. A paper that is there already, or past
        it, does not match: a task that runs twice counts once.
        """
        if not moves:
            return set()
        (state,) = {move.state for move in moves}
        given = _unnested(moves)
        statement = (
            update(job_papers)
            .where(
                job_papers.c.job_id == given.c.job_id,
                job_papers.c.item == given.c.item,
                job_papers.c.state.in_(_BEFORE[state]),
                or_(given.c.attempts.is_(None), given.c.attempts == job_papers.c.attempts),
            )
            .values(state=state, reason=given.c.reason, updated_at=func.clock_timestamp())
            .returning(job_papers.c.job_id, job_papers.c.item)
        )
        return {(row.job_id, row.item) for row in await self._conn.execute(statement)}


def _unnested(moves: Sequence[Move]) -> Any:  # noqa: ANN401 - a FROM clause
    job_ids = bindparam("job_ids", [move.job_id for move in moves], type_=ARRAY(Uuid()))
    items = bindparam("items", [move.item for move in moves], type_=ARRAY(Text()))
    reasons = bindparam("reasons", [move.reason for move in moves], type_=ARRAY(Text()))
    attempts = bindparam("attempts", [move.attempts for move in moves], type_=ARRAY(Integer()))
    given = func.unnest(job_ids, items, reasons, attempts)
    columns = ("job_id", "item", "reason", "attempts")
    return given.table_valued(*columns, name="given").render_derived()


def _target() -> ColumnElement[int]:
    """The version that a row of a job is for: the one that was asked for, else the newest."""
    return case((job_papers.c.pinned > 0, job_papers.c.pinned), else_=papers.c.version)


def _has_html() -> ColumnElement[bool]:
    """Whether a page of HTML of that version is held."""
    return (
        select(html_pages.c.arxiv_id)
        .where(html_pages.c.arxiv_id == job_papers.c.arxiv_id, html_pages.c.version == _target())
        .correlate(job_papers, papers)
        .exists()
    )


def _of_target(name: str) -> ColumnElement[Any]:
    """What is held of the file of that version."""
    older = (
        select(paper_versions.c[name])
        .where(
            paper_versions.c.arxiv_id == job_papers.c.arxiv_id,
            paper_versions.c.version == job_papers.c.pinned,
        )
        .scalar_subquery()
    )
    return case((_target() == papers.c.version, papers.c[name]), else_=older).label(name)
