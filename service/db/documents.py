"""Structured documents in SQL: one for each version of a paper, kept as it was made."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, Row, Select, Text, and_, bindparam, cast, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.held_papers import required
from service.db.tables import documents, papers
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import StructuredDocument

_ORIGIN = (documents.c.source, documents.c.converter, documents.c.input_sha256)


class DocumentStore:
    """All SQL on `documents`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def save(
        self, arxiv_id: ArxivId, document: StructuredDocument, *, input_sha256: str
    ) -> None:
        """Store the document of this version; those of older versions go.

        The paper must be held, and locked.
        """
        of_paper = documents.c.arxiv_id == arxiv_id.paper
        older = documents.c.version < arxiv_id.version
        await self._conn.execute(delete(documents).where(of_paper, older))
        values = {
            "source": document.source,
            "converter": document.converter,
            "input_sha256": input_sha256,
            "quality": dict(document.quality),
            "content": cast(literal(document.content, Text), JSON),  # it is JSON already
        }
        statement = insert(documents).values(
            arxiv_id=arxiv_id.paper, version=arxiv_id.version, **values
        )
        changes = {name: statement.excluded[name] for name in values}
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[documents.c.arxiv_id, documents.c.version],
                set_={**changes, "made_at": func.now()},
            )
        )

    async def get(self, arxiv_id: ArxivId, *, part: str | None = None) -> Row[Any]:
        """The document of the version held, or that of `arxiv_id`.

        Returns arxiv_id, version, source, converter, input_sha256, made_at, quality and
        content: JSON in text; of `content` only the member `part`, if one is named. Raises
        NotFound.
        """
        content = documents.c.content if part is None else documents.c.content[part]
        of_this_version = and_(
            documents.c.arxiv_id == papers.c.arxiv_id, documents.c.version == papers.c.version
        )
        statement: Select[Any] = (
            select(
                papers.c.arxiv_id,
                papers.c.version,
                *_ORIGIN,
                documents.c.made_at,
                documents.c.quality,
                cast(content, Text).label("content"),
            )
            .select_from(papers.outerjoin(documents, of_this_version))
            .where(papers.c.arxiv_id == arxiv_id.paper)
        )
        row = required((await self._conn.execute(statement)).one_or_none(), arxiv_id)
        if row.source is None:
            message = "The document of this paper has not been made"
            raise NotFound(message, code="document_not_found")
        return row

    async def list_held(self, arxiv_ids: Iterable[str]) -> Sequence[str]:
        """Those of the ids (without version) whose papers are held."""
        statement = select(papers.c.arxiv_id).where(
            papers.c.arxiv_id == func.any(bindparam("ids", list(arxiv_ids)))
        )
        return (await self._conn.execute(statement)).scalars().all()
