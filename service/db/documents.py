"""Structured documents in SQL: one for each version of a paper, kept as it was made."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, Select, Text, and_, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.at_version import AtVersion
from service.db.conditions import is_any_of
from service.db.held_papers import not_known
from service.db.html_tables import html_pages
from service.db.rows import first_of
from service.db.tables import documents, papers
from service.db.version_files import is_kept
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import DocumentSource, StructuredDocument

_ORIGIN = (documents.c.source, documents.c.converter, documents.c.input_sha256)


class HeldDocument(NamedTuple):
    """The document of a version: `content` is JSON in text.

    `html_refused` says why a page of HTML that is held is not used, `html_quality` and
    `html_tag` are of that page.
    """

    arxiv_id: str
    version: int
    source: str
    converter: str
    input_sha256: str
    made_at: datetime
    quality: Mapping[str, Any]
    html_refused: str | None
    html_quality: Mapping[str, Any] | None
    html_tag: str | None
    content: str


class DocumentStore:
    """All SQL on `documents`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def save(
        self, arxiv_id: ArxivId, document: StructuredDocument, *, input_sha256: str
    ) -> None:
        """Store the document of this version and source; those of older versions go, unless kept.

        The paper must be held, and locked.
        """
        of_paper = documents.c.arxiv_id == arxiv_id.paper
        older = documents.c.version < arxiv_id.version
        await self._conn.execute(delete(documents).where(of_paper, older, ~is_kept(documents)))
        values = {
            "converter": document.converter,
            "input_sha256": input_sha256,
            "quality": dict(document.quality),
            "content": cast(literal(document.content, Text), JSON),  # it is JSON already
        }
        statement = insert(documents).values(
            arxiv_id=arxiv_id.paper, version=arxiv_id.version, source=document.source, **values
        )
        changes = {name: statement.excluded[name] for name in values}
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=list(documents.primary_key.columns),
                set_={**changes, "made_at": func.now()},
            )
        )

    async def remove(self, arxiv_id: ArxivId, source: DocumentSource) -> None:
        """Remove the document of this version and source, if there is one."""
        await self._conn.execute(
            delete(documents).where(
                documents.c.arxiv_id == arxiv_id.paper,
                documents.c.version == arxiv_id.version,
                documents.c.source == source,
            )
        )

    async def get(self, arxiv_id: ArxivId, *, part: str | None = None) -> HeldDocument:
        """The document of the newest version, or of that of `arxiv_id`: of two the one of HTML.

        Of its content only the member `part`, if one is named. Raises NotFound.
        """
        of = AtVersion(arxiv_id)
        content = documents.c.content if part is None else documents.c.content[part]
        of_this_version = and_(
            documents.c.arxiv_id == papers.c.arxiv_id, documents.c.version == of.version
        )
        page = and_(html_pages.c.arxiv_id == papers.c.arxiv_id, html_pages.c.version == of.version)
        statement: Select[Any] = (
            select(
                papers.c.arxiv_id,
                of.version.label("version"),
                *_ORIGIN,
                documents.c.made_at,
                documents.c.quality,
                html_pages.c.refused.label("html_refused"),
                html_pages.c.quality.label("html_quality"),
                func.left(func.md5(cast(html_pages.c.quality, Text)), 8).label("html_tag"),
                cast(content, Text).label("content"),
            )
            .select_from(
                of.source.outerjoin(documents, of_this_version).outerjoin(html_pages, page)
            )
            .where(papers.c.arxiv_id == arxiv_id.paper, of.is_known)
            .order_by(documents.c.source)  # html before pdf
            .limit(1)
        )
        row = first_of(HeldDocument, await self._conn.execute(statement))
        if row is None:
            raise await not_known(self._conn, arxiv_id)
        if not row.source:  # the join found none
            message = "The document of this paper has not been made"
            raise NotFound(message, code="document_not_found")
        return row

    async def list_held(self, arxiv_ids: Iterable[str]) -> Sequence[str]:
        """Those of the ids (without version) whose papers are held."""
        statement = select(papers.c.arxiv_id).where(is_any_of(papers.c.arxiv_id, arxiv_ids))
        return (await self._conn.execute(statement)).scalars().all()
