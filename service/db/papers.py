"""Papers and their texts in SQL. A version never goes back."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import documents, paper_texts, papers
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    DocumentSource,
    ExtractedText,
    Paper,
    PdfState,
    StoredPdf,
    TextState,
)

# Forgetting the file of an older version goes with writing a newer one.
_NO_FILE: dict[str, Any] = {
    "pdf_state": PdfState.NONE,
    "pdf_path": None,
    "pdf_sha256": None,
    "pdf_bytes": None,
    "page_count": None,
    "text_state": None,
}


class PaperStore:
    """All SQL on `papers` and `paper_texts`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def upsert(self, batch: Sequence[Paper], *, overwrite: bool) -> dict[str, bool]:
        """Write papers that are new or of a newer version; of the same one if `overwrite`.

        Returns arXiv id → True for created, False for updated; ids left as they
        were are absent. Rows are taken in the order of their ids, so that two
        batches never wait for each other.
        """
        if not batch:
            return {}
        rows = [_values(paper) for paper in sorted(batch, key=lambda paper: paper.arxiv_id)]
        statement = insert(papers).values(rows)
        new = statement.excluded
        newer = new.version > papers.c.version
        same = new.version == papers.c.version
        changes = {name: new[name] for name in rows[0] if name != "arxiv_id"}
        kept = {name: case((same, papers.c[name]), else_=value) for name, value in _NO_FILE.items()}
        written = await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[papers.c.arxiv_id],
                set_={**changes, **kept, "stored_at": func.now()},
                where=or_(newer, same) if overwrite else newer,
            ).returning(papers.c.arxiv_id, literal_column("xmax = 0").label("created"))
        )
        return {row.arxiv_id: row.created for row in written}

    async def find_many(self, arxiv_ids: Iterable[str]) -> dict[str, Row[Any]]:
        """ArXiv id → version, pdf_state, pdf_path, pdf_sha256, pdf_bytes of those held."""
        statement: Select[Any] = select(
            papers.c.arxiv_id,
            papers.c.version,
            papers.c.pdf_state,
            papers.c.pdf_path,
            papers.c.pdf_sha256,
            papers.c.pdf_bytes,
        ).where(papers.c.arxiv_id == func.any(bindparam("ids", list(arxiv_ids))))
        return {row.arxiv_id: row for row in (await self._conn.execute(statement)).all()}

    async def lock(self, arxiv_ids: Iterable[str]) -> None:
        """Lock papers in the order of their ids."""
        await self._conn.execute(
            select(papers.c.arxiv_id)
            .where(papers.c.arxiv_id == func.any(bindparam("ids", list(arxiv_ids))))
            .order_by(papers.c.arxiv_id)
            .with_for_update()
        )

    async def list_with_file(self, *, after: str, limit: int) -> Sequence[Row[Any]]:
        """The papers that claim a file, by id, behind the id `after`.

        Returns arxiv_id, version, pdf_path, pdf_sha256, pdf_bytes.
        """
        statement: Select[Any] = (
            select(
                papers.c.arxiv_id,
                papers.c.version,
                papers.c.pdf_path,
                papers.c.pdf_sha256,
                papers.c.pdf_bytes,
            )
            .where(papers.c.pdf_path.is_not(None), papers.c.arxiv_id > after)
            .order_by(papers.c.arxiv_id)
            .limit(limit)
        )
        rows: Sequence[Row[Any]] = (await self._conn.execute(statement)).all()
        return rows

    async def save_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> str | None:
        """Record the file of this version; a row that has moved to another version stays.

        So does one that has this very file: a late worker must not undo `processed`.
        Returns the path that the row named before, if it moved away from one. The
        paper must be locked.
        """
        before = papers.alias("before")
        is_another = or_(
            papers.c.pdf_sha256.is_distinct_from(pdf.sha256),
            papers.c.pdf_path.is_distinct_from(pdf.path),
        )
        statement = (
            update(papers)
            .where(_is(arxiv_id), is_another, before.c.arxiv_id == papers.c.arxiv_id)
            .values(
                pdf_state=PdfState.DOWNLOADED,
                pdf_path=pdf.path,
                pdf_sha256=pdf.sha256,
                pdf_bytes=pdf.size_bytes,
            )
            .returning(before.c.pdf_path)
        )
        left: str | None = (await self._conn.execute(statement)).scalar_one_or_none()
        return left if left != pdf.path else None

    async def save_text(self, arxiv_id: ArxivId, text: ExtractedText) -> bool:
        """Store the text of this version's PDF; False if no file of it is recorded."""
        has_file = papers.c.pdf_path.is_not(None)
        state = {
            "pdf_state": PdfState.PROCESSED,
            "page_count": text.page_count,
            "text_state": text.text_state,
        }
        if not await self._update(arxiv_id, has_file, **state):
            return False
        values = _text_values(text)
        statement = insert(paper_texts).values(
            arxiv_id=arxiv_id.paper, version=arxiv_id.version, **values
        )
        new = statement.excluded
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[paper_texts.c.arxiv_id],
                set_={name: new[name] for name in ("version", *values)}
                | {"extracted_at": func.now()},
                where=new.version >= paper_texts.c.version,
            )
        )
        return True

    async def save_encrypted(self, arxiv_id: ArxivId) -> None:
        """Record that the text of this version's PDF cannot be had; the file stays."""
        has_no_text = papers.c.pdf_state != PdfState.PROCESSED
        await self._update(arxiv_id, has_no_text, text_state=TextState.ENCRYPTED)

    async def save_no_file(self, arxiv_id: ArxivId, state: PdfState) -> None:
        """Record that this version's PDF is `unavailable` or `failed`; a file we hold stays."""
        await self._update(arxiv_id, papers.c.pdf_path.is_(None), pdf_state=state)

    async def forget_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> bool:
        """Record that `pdf` of this version is gone or damaged: fetch it again.

        A row that has moved to another file meanwhile stays; returns False then.
        """
        is_this = [papers.c.pdf_path == pdf.path, papers.c.pdf_sha256 == pdf.sha256]
        if not await self._update(arxiv_id, *is_this, **_NO_FILE):
            return False
        await self._conn.execute(
            delete(paper_texts).where(
                paper_texts.c.arxiv_id == arxiv_id.paper, paper_texts.c.version == arxiv_id.version
            )
        )
        of_this = [
            documents.c.arxiv_id == arxiv_id.paper,
            documents.c.version == arxiv_id.version,
            documents.c.source == DocumentSource.PDF,
        ]
        await self._conn.execute(delete(documents).where(*of_this))
        return True

    async def _update(
        self, arxiv_id: ArxivId, *conditions: ColumnElement[bool], **values: object
    ) -> bool:
        statement = update(papers).where(_is(arxiv_id), *conditions)
        return (await self._conn.execute(statement.values(**values))).rowcount == 1


def _is(arxiv_id: ArxivId) -> ColumnElement[bool]:
    return and_(papers.c.arxiv_id == arxiv_id.paper, papers.c.version == arxiv_id.version)


def _text_values(text: ExtractedText) -> dict[str, Any]:
    """The columns of `paper_texts` that are the text's own."""
    return {
        "content": text.text,
        "truncated": text.truncated,
        "text_state": text.text_state,
        "pages": [asdict(page) for page in text.pages],
        "furniture": [asdict(line) for line in text.furniture],
        "extractor": text.extractor,
        "quality": dict(text.quality),
    }


def _values(paper: Paper) -> dict[str, Any]:
    return {
        "arxiv_id": paper.arxiv_id.paper,
        "version": paper.arxiv_id.version,
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "primary_category": paper.primary_category,
        "published_at": paper.published_at,
        "updated_at": paper.updated_at,
        "doi": paper.doi,
        "journal_ref": paper.journal_ref,
        "comments": paper.comments,
        "license": paper.license,
        "withdrawn": paper.withdrawn,
    }
