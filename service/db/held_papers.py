"""Paper queries: filters, text search, keyset pages, one by its id.

`papers.py` is for those who write. Nothing here locks, and every statement is
short, so that a reader who takes its time holds nothing between two of them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.paper_rows import SHOWN
from service.db.tables import job_papers, paper_texts, papers
from service.domain.categories import members
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import PaperFilter

PaperKey = tuple[datetime, str]  # published_at, arxiv_id: the order of lists

SHOWN_COLUMNS = [papers.c[name] for name in SHOWN]


class HeldPaperStore:
    """Reading `papers` and `paper_texts`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_newest(
        self, wanted: PaperFilter, *, limit: int, after: PaperKey | None = None
    ) -> Sequence[Row[Any]]:
        """At most `limit` papers (columns `SHOWN`), last submitted first, from behind `after`."""
        statement: Select[Any] = (
            select(*SHOWN_COLUMNS)
            .where(*conditions(wanted))
            .order_by(papers.c.published_at.desc(), papers.c.arxiv_id.desc())
            .limit(limit)
        )
        if after is not None:
            key = tuple_(papers.c.published_at, papers.c.arxiv_id)
            statement = statement.where(key < tuple_(*map(literal, after)))
        rows: Sequence[Row[Any]] = (await self._conn.execute(statement)).all()
        return rows

    async def get(self, arxiv_id: ArxivId) -> Row[Any]:
        """The paper, all columns of `SHOWN`; raises NotFound, also for another version."""
        return await self._get(select(*SHOWN_COLUMNS), arxiv_id)

    async def get_text(self, arxiv_id: ArxivId) -> Row[Any]:
        """The text of the version held; raises NotFound, also for another version.

        Returns arxiv_id, version, pdf_state, paper_text_state, page_count, and the columns of
        `paper_texts`, which are None where there is no text (and the newer ones where it
        was stored before there were any).
        """
        of_this_version = and_(
            paper_texts.c.arxiv_id == papers.c.arxiv_id, paper_texts.c.version == papers.c.version
        )
        statement = select(
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
        return await self._get(statement, arxiv_id)

    async def _get(self, statement: Select[Any], arxiv_id: ArxivId) -> Row[Any]:
        found = await self._conn.execute(statement.where(papers.c.arxiv_id == arxiv_id.paper))
        row: Row[Any] | None = found.one_or_none()
        return required(row, arxiv_id)


def required(row: Row[Any] | None, arxiv_id: ArxivId) -> Row[Any]:
    """The row (arxiv_id, version, …) of the paper, if it is that of `arxiv_id`; else NotFound."""
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
        yield papers.c.license == wanted.license
    if wanted.stored_after is not None:
        yield papers.c.stored_at >= wanted.stored_after
