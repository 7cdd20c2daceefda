"""Files and texts of papers in SQL; their metadata is written in `paper_metadata`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from service.db.conditions import is_any_of
from service.db.paper_metadata import MetadataStore
from service.db.paper_rows import NO_FILE, file_columns
from service.db.rows import typed
from service.db.tables import documents, paper_texts, papers
from service.db.version_files import NamedFile, VersionFileStore
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    DocumentSource,
    ExtractedText,
    PdfState,
    StoredPdf,
    TextState,
)


class HeldFile(NamedTuple):
    """The version of a paper that is held, and its file, if there is one."""

    arxiv_id: str
    version: int
    pdf_state: str
    pdf_path: str | None
    pdf_sha256: str | None
    pdf_bytes: int | None


class PaperStore(MetadataStore):
    """All SQL that writes papers, on a connection whose transaction is the caller's."""

    @property
    def _older(self) -> VersionFileStore:
        return VersionFileStore(self._conn)

    async def find_many(self, arxiv_ids: Iterable[str]) -> dict[str, HeldFile]:
        """ArXiv id → what is held of it, of those held."""
        statement: Select[Any] = select(
            papers.c.arxiv_id,
            papers.c.version,
            papers.c.pdf_state,
            papers.c.pdf_path,
            papers.c.pdf_sha256,
            papers.c.pdf_bytes,
        ).where(is_any_of(papers.c.arxiv_id, arxiv_ids))
        found = typed(HeldFile, await self._conn.execute(statement))
        return {paper.arxiv_id: paper for paper in found}

    async def datestamps(self, arxiv_ids: Iterable[str]) -> dict[str, date | None]:
        """ArXiv id → datestamp (None: unknown) of those held."""
        statement = select(papers.c.arxiv_id, papers.c.datestamp).where(
            is_any_of(papers.c.arxiv_id, arxiv_ids)
        )
        return {row.arxiv_id: row.datestamp for row in await self._conn.execute(statement)}

    async def told_by_lines(self, digests: Mapping[str, UUID], *, job_id: UUID) -> dict[str, bool]:
        """Of papers, each with a digest of a snapshot's line: those that this line told last.

        ArXiv id → whether the job has stored the paper itself.
        """
        statement = select(papers.c.arxiv_id, papers.c.snapshot_digest, papers.c.job_id).where(
            is_any_of(papers.c.arxiv_id, digests)
        )
        return {
            row.arxiv_id: row.job_id == job_id
            for row in await self._conn.execute(statement)
            if row.snapshot_digest == digests[row.arxiv_id]
        }

    async def lock(self, arxiv_ids: Iterable[str]) -> None:
        """Lock papers in the order of their ids."""
        await self._conn.execute(
            select(papers.c.arxiv_id)
            .where(is_any_of(papers.c.arxiv_id, arxiv_ids))
            .order_by(papers.c.arxiv_id)
            .with_for_update()
        )

    async def list_with_file(self, *, after: str, limit: int) -> Sequence[NamedFile]:
        """The papers that claim a file, by id, behind the id `after`."""
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
        return typed(NamedFile, await self._conn.execute(statement))

    async def save_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> str | None:
        """Record the file of this version, with that version if it is not the newest any more.

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
            .values(file_columns(pdf))
            .returning(before.c.pdf_path)
        )
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:  # it is there already, or the paper has a newer version
            return await self._older.save_file(arxiv_id, pdf)
        left: str | None = row.pdf_path
        return left if left != pdf.path else None

    async def save_text(self, arxiv_id: ArxivId, text: ExtractedText) -> bool:
        """Store the text of this version's PDF; False if no file of it is recorded."""
        has_file = papers.c.pdf_path.is_not(None)
        state = {
            "pdf_state": PdfState.PROCESSED,
            "page_count": text.page_count,
            "text_state": text.text_state,
        }
        values = _text_values(text)
        if not await self._update(arxiv_id, has_file, **state):
            return await self._older.save_text(arxiv_id, values, page_count=text.page_count)
        await self._older.save_replaced_text(arxiv_id)
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
        if not await self._update(arxiv_id, has_no_text, text_state=TextState.ENCRYPTED):
            await self._older.save_encrypted(arxiv_id)

    async def save_no_file(self, arxiv_id: ArxivId, state: PdfState) -> None:
        """Record that this version's PDF is `unavailable` or `failed`; a file we hold stays."""
        if not await self._update(arxiv_id, papers.c.pdf_path.is_(None), pdf_state=state):
            await self._older.save_no_file(arxiv_id, state)

    async def forget_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> bool:
        """Record that `pdf` of this version is gone or damaged: fetch it again.

        A row that has moved to another file meanwhile stays; returns False then.
        """
        is_this = [papers.c.pdf_path == pdf.path, papers.c.pdf_sha256 == pdf.sha256]
        if not await self._update(arxiv_id, *is_this, **NO_FILE):
            return await self._older.forget_file(arxiv_id, pdf)
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
