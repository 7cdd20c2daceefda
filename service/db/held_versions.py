"""Versions of papers as readers want them: the history of one, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import paper_texts, paper_versions, papers
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.licenses import license_url
from service.domain.papers import TextState


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldVersion:
    """One version, and what is held of its file."""

    version: int
    submitted_at: datetime
    size_kb: int | None
    source_type: str | None
    withdrawn: bool
    license: str | None
    license_told: bool
    pdf_state: str
    text_state: str | None


class VersionStore:
    """Reading `paper_versions`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def history(self, arxiv_id: ArxivId) -> Sequence[HeldVersion]:
        """All known versions of the paper, oldest first; raises NotFound."""
        is_newest = papers.c.version == paper_versions.c.version
        state = case((is_newest, papers.c.text_state), else_=paper_versions.c.text_state)
        # of a text that was stored before states were told apart
        of_old = case((paper_texts.c.truncated, TextState.CUT), else_=TextState.FULL)
        has_text = paper_texts.c.version == paper_versions.c.version
        statement = (
            select(
                paper_versions.c.version,
                paper_versions.c.submitted_at,
                paper_versions.c.size_kb,
                paper_versions.c.source_type,
                paper_versions.c.withdrawn,
                paper_versions.c.license,
                paper_versions.c.license_told,
                case((is_newest, papers.c.pdf_state), else_=paper_versions.c.pdf_state).label(
                    "pdf_state"
                ),
                func.coalesce(state, case((has_text, of_old))).label("text_state"),
            )
            .join_from(papers, paper_versions, papers.c.arxiv_id == paper_versions.c.arxiv_id)
            .outerjoin(paper_texts, paper_texts.c.arxiv_id == papers.c.arxiv_id)
            .where(papers.c.arxiv_id == arxiv_id.paper)
            .order_by(paper_versions.c.version)
        )
        rows = (await self._conn.execute(statement)).all()
        if not rows:
            raise NotFound("Paper not found", code="paper_not_found")
        return [HeldVersion(**row._mapping) for row in rows]

    async def license_url(self, arxiv_id: str, version: int) -> str | None:
        """The licence that holds for a version: as told, or assumed; None where nobody told."""
        statement = select(paper_versions.c.license, paper_versions.c.license_told).where(
            paper_versions.c.arxiv_id == arxiv_id, paper_versions.c.version == version
        )
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else license_url(row.license, is_told=row.license_told)
