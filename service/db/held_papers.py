"""Paper queries: filters, text search, keyset pages, one by its id.

`papers.py` is for those who write. Nothing here locks, and every statement is
short, so that a reader who takes its time holds nothing between two of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.at_version import AtVersion
from service.db.paper_rows import SHOWN
from service.db.rows import first_of, typed
from service.db.tables import job_papers, paper_texts, papers
from service.db.version_tables import older_texts
from service.domain.categories import members
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.licenses import ASSUMED, normalised, spellings
from service.domain.papers import PaperFilter, StoredPdf

PaperKey = tuple[datetime, str]  # published_at, arxiv_id: the order of lists

SHOWN_COLUMNS = [papers.c[name] for name in SHOWN]
_TEXT = [c.name for c in older_texts.c if c.name not in ("arxiv_id", "version")]


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
        return StoredPdf.of(self.pdf_path, self.pdf_sha256, self.pdf_bytes)


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
        """The paper; raises NotFound.

        Of a version that is not the newest, title and the like are those of the newest; dates,
        licence, withdrawal and file are its own.
        """
        of = AtVersion(arxiv_id)
        statement = (
            select(*(of.column(name).label(name) for name in SHOWN))
            .select_from(of.source)
            .where(papers.c.arxiv_id == arxiv_id.paper, of.is_known)
        )
        found = first_of(HeldPaper, await self._conn.execute(statement))
        if found is None:
            raise await not_known(self._conn, arxiv_id)
        return found

    async def newest_version(self, arxiv_id: ArxivId) -> int:
        """The newest version of a paper that is held: whose metadata `get` returns."""
        statement = select(papers.c.version).where(papers.c.arxiv_id == arxiv_id.paper)
        version: int = (await self._conn.execute(statement)).scalar_one()
        return version

    async def get_text(self, arxiv_id: ArxivId) -> HeldText:
        """The text of the newest version, or of that of `arxiv_id`; raises NotFound."""
        of = AtVersion(arxiv_id)
        newest = and_(
            paper_texts.c.arxiv_id == papers.c.arxiv_id, paper_texts.c.version == of.version
        )
        older = and_(
            older_texts.c.arxiv_id == papers.c.arxiv_id, older_texts.c.version == of.version
        )
        texts = [
            func.coalesce(paper_texts.c[name], older_texts.c[name]).label(name) for name in _TEXT
        ]
        statement: Select[Any] = select(
            papers.c.arxiv_id,
            *(of.column(name).label(name) for name in ("version", "pdf_state", "page_count")),
            *texts,
            of.column("text_state").label("paper_text_state"),
        )
        joined = of.source.outerjoin(paper_texts, newest).outerjoin(older_texts, older)
        chosen = statement.select_from(joined).where(
            papers.c.arxiv_id == arxiv_id.paper, of.is_known
        )
        found = first_of(HeldText, await self._conn.execute(chosen))
        if found is None:
            raise await not_known(self._conn, arxiv_id)
        return found


async def not_known(conn: AsyncConnection, arxiv_id: ArxivId) -> NotFound:
    """What is to be said where there is no such paper, or no such version of it."""
    held = select(papers.c.arxiv_id).where(papers.c.arxiv_id == arxiv_id.paper)
    if arxiv_id.version is not None and (await conn.execute(held)).first() is not None:
        return NotFound("This version of the paper is not known", code="paper_not_found")
    return NotFound("Paper not found", code="paper_not_found")


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
