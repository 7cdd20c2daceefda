"""Paper queries: filters, text search, keyset pages, one by its id.

`papers.py` is for those who write. Nothing here locks, and every statement is
short, so that a reader who takes its time holds nothing between two of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.paper_rows import SHOWN
from service.db.rows import first_of, typed
from service.db.tables import job_papers, paper_texts, papers
from service.domain.categories import members
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.licenses import ASSUMED, normalised, spellings
from service.domain.papers import PaperFilter, StoredPdf

PaperKey = tuple[datetime, str]  # published_at, arxiv_id: the order of lists

SHOWN_COLUMNS = [papers.c[name] for name in SHOWN]


class HeldPaper(NamedTuple):
    """A paper that is held: the columns `SHOWN`."""

    arxiv_id: str
    version: int
    title: str
    abstract: str
    authors: Sequence[str]
    categories: Sequence[str]
    primary_category: str
    published_at: datetime
    updated_at: datetime
    doi: str | None
    journal_ref: str | None
    comments: str | None
    license: str | None
    withdrawn: bool
    pdf_state: str
    pdf_path: str | None
    pdf_sha256: str | None
    pdf_bytes: int | None
    page_count: int | None
    text_state: str | None

    @property
    def file(self) -> StoredPdf | None:
        """The PDF that the row names."""
        if self.pdf_path is None or self.pdf_sha256 is None or self.pdf_bytes is None:
            return None
        return StoredPdf(path=self.pdf_path, sha256=self.pdf_sha256, size_bytes=self.pdf_bytes)


class HeldText(NamedTuple):
    """The text of the version that is held.

    What is of `paper_texts` is None where there is no text, and the newer columns where it was
    stored before there were any.
    """

    arxiv_id: str
    version: int
    pdf_state: str
    page_count: int | None
    content: str | None
    truncated: bool | None
    extracted_at: datetime | None
    text_state: str | None
    pages: Sequence[Mapping[str, Any]] | None
    furniture: Sequence[Mapping[str, Any]] | None
    extractor: str | None
    quality: Mapping[str, Any] | None
    paper_text_state: str | None


class HeldPaperStore:
    """Reading `papers` and `paper_texts`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_newest(
        self, wanted: PaperFilter, *, limit: int, after: PaperKey | None = None
    ) -> Sequence[HeldPaper]:
        """At most `limit` papers, last submitted first, from behind `after`."""
        statement: Select[Any] = (
            select(*SHOWN_COLUMNS)
            .where(*conditions(wanted))
            .order_by(papers.c.published_at.desc(), papers.c.arxiv_id.desc())
            .limit(limit)
        )
        if after is not None:
            key = tuple_(papers.c.published_at, papers.c.arxiv_id)
            statement = statement.where(key < tuple_(*map(literal, after)))
        return typed(HeldPaper, await self._conn.execute(statement))

    async def get(self, arxiv_id: ArxivId) -> HeldPaper:
        """The paper; raises NotFound, also for another version."""
        statement = select(*SHOWN_COLUMNS).where(papers.c.arxiv_id == arxiv_id.paper)
        return required(first_of(HeldPaper, await self._conn.execute(statement)), arxiv_id)

    async def get_text(self, arxiv_id: ArxivId) -> HeldText:
        """The text of the version held; raises NotFound, also for another version."""
        of_this_version = and_(
            paper_texts.c.arxiv_id == papers.c.arxiv_id, paper_texts.c.version == papers.c.version
        )
        statement: Select[Any] = select(
            papers.c.arxiv_id,
            papers.c.version,
            papers.c.pdf_state,
            papers.c.page_count,
            paper_texts.c.content,
            paper_texts.c.truncated,
            paper_texts.c.extracted_at,
            paper_texts.c.text_state,
            paper_texts.c.pages,
            paper_texts.c.furniture,
            paper_texts.c.extractor,
            paper_texts.c.quality,
            papers.c.text_state.label("paper_text_state"),
        ).select_from(papers.outerjoin(paper_texts, of_this_version))
        chosen = statement.where(papers.c.arxiv_id == arxiv_id.paper)
        return required(first_of(HeldText, await self._conn.execute(chosen)), arxiv_id)


class _OfVersion(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=_OfVersion)


def required(row: V | None, arxiv_id: ArxivId) -> V:
    """The row of the paper, if it is that of `arxiv_id`; else NotFound."""
    if row is None:
        raise NotFound("Paper not found", code="paper_not_found")
    if arxiv_id.version not in (None, row.version):
        message = f"Only version {row.version} of this paper is held"
        raise NotFound(message, code="paper_not_found")
    return row


def conditions(wanted: PaperFilter, *, with_words: bool = True) -> Iterator[ColumnElement[bool]]:
    """What a row of `papers` must fulfil; without words where a search looks for them itself."""
    if wanted.category is not None:
        yield papers.c.categories.overlap(list(members(wanted.category)))
    if wanted.author is not None:
        phrase = func.phraseto_tsquery("simple", wanted.author)
        yield papers.c.author_words.bool_op("@@")(phrase)
    if wanted.words is not None and with_words:
        query = func.search_query(wanted.words)
        yield papers.c.words.bool_op("@@")(query)
    if wanted.from_date is not None:
        yield papers.c.published_at >= datetime.combine(wanted.from_date, time.min, UTC)
    if wanted.to_date is not None:
        yield papers.c.published_at <= datetime.combine(wanted.to_date, time.max, UTC)
    if wanted.pdf_states:
        yield papers.c.pdf_state.in_(wanted.pdf_states)
    if wanted.text_states:
        yield papers.c.text_state.in_(wanted.text_states)
    if wanted.withdrawn is not None:
        yield papers.c.withdrawn.is_(wanted.withdrawn)
    if wanted.ids:
        yield papers.c.arxiv_id.in_(wanted.ids)
    if wanted.job_id is not None:
        touched = select(job_papers.c.arxiv_id).where(job_papers.c.job_id == wanted.job_id)
        # of a bulk job only papers whose file was wanted have a row there
        stored = select(papers.c.arxiv_id).where(papers.c.job_id == wanted.job_id)
        yield papers.c.arxiv_id.in_(touched.union_all(stored))
    if wanted.license is not None:
        yield _is_under(wanted.license)
    if wanted.stored_after is not None:
        yield papers.c.stored_at >= wanted.stored_after


def _is_under(url: str) -> ColumnElement[bool]:
    """Whether the licence that holds is that of `url`, in any of its spellings."""
    told = papers.c.license.in_(spellings(url))
    if normalised(url) != normalised(ASSUMED):
        return told
    return or_(told, and_(papers.c.license.is_(None), papers.c.license_told))
