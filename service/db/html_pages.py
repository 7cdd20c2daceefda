"""HTML pages in SQL: which are held, how each was judged, and the PDFs they are compared with."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.at_version import AtVersion
from service.db.conditions import is_any_of
from service.db.html_tables import html_pages
from service.db.tables import documents, paper_texts, papers
from service.db.version_files import is_kept
from service.db.version_tables import older_texts
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    NO_PAPER,
    DocumentSource,
    ExtractedText,
    HtmlPage,
    HtmlVerdict,
    PdfState,
    StoredPdf,
    StructuredDocument,
    TextPage,
)


class HtmlPageStore:
    """All SQL on `html_pages`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def find(self, arxiv_id: ArxivId) -> HtmlPage | None:
        """The page of this version, if one is held."""
        statement = select(html_pages).where(_is(arxiv_id))
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:
            return None
        file = StoredPdf(path=row.path, sha256=row.sha256, size_bytes=row.bytes)
        return HtmlPage(file=file, etag=row.etag, pdf_sha256=row.pdf_sha256, refused=row.refused)

    async def save(self, arxiv_id: ArxivId, page: HtmlPage, verdict: HtmlVerdict) -> list[str]:
        """Record the page of this version, and what was made of it; older ones go, unless kept.

        Returns the paths that no row names any more. The paper must be held, and locked.
        """
        of_paper = html_pages.c.arxiv_id == arxiv_id.paper
        moved = and_(html_pages.c.version == arxiv_id.version, html_pages.c.path != page.file.path)
        older = and_(html_pages.c.version < arxiv_id.version, ~is_kept(html_pages))
        gone = delete(html_pages).where(of_paper, moved | older).returning(html_pages.c.path)
        left = list((await self._conn.execute(gone)).scalars())
        values = {
            "path": page.file.path,
            "sha256": page.file.sha256,
            "bytes": page.file.size_bytes,
            "etag": page.etag,
            "license": verdict.quality.get("licence"),
            "generator": verdict.quality.get("generator"),
            "converter": verdict.converter,
            "pdf_sha256": page.pdf_sha256,
            "refused": verdict.refused,
            "quality": dict(verdict.quality),
        }
        statement = insert(html_pages).values(
            arxiv_id=arxiv_id.paper, version=arxiv_id.version, **values
        )
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[html_pages.c.arxiv_id, html_pages.c.version], set_=values
            )
        )
        return left

    async def held(self, versions: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Those of the versions (id and number) whose page is held, and is that of a paper."""
        wanted = list(versions)
        if not wanted:
            return set()
        key = tuple_(html_pages.c.arxiv_id, html_pages.c.version)
        statement = select(html_pages.c.arxiv_id, html_pages.c.version).where(
            key.in_(wanted), func.coalesce(html_pages.c.refused, "").not_in(NO_PAPER)
        )
        return {(row.arxiv_id, row.version) for row in await self._conn.execute(statement)}

    async def pdf_sha256(self, arxiv_id: ArxivId) -> str | None:
        """SHA-256 of the PDF that a page of this version is to be compared with, if any."""
        of = AtVersion(arxiv_id)
        statement = select(of.column("pdf_sha256")).select_from(of.source).where(*_has_text(of))
        sha256: str | None = (await self._conn.execute(statement)).scalar_one_or_none()
        return sha256

    async def find_text(self, arxiv_id: ArxivId) -> tuple[str, ExtractedText] | None:
        """That PDF's SHA-256, its text and the document that was made of it."""
        of = AtVersion(arxiv_id)
        of_pdf = and_(
            documents.c.arxiv_id == papers.c.arxiv_id,
            documents.c.version == of.version,
            documents.c.source == DocumentSource.PDF,
        )
        newest, older = (
            and_(texts.c.arxiv_id == papers.c.arxiv_id, texts.c.version == of.version)
            for texts in (paper_texts, older_texts)
        )
        content = func.coalesce(paper_texts.c.content, older_texts.c.content)
        statement: Select[Any] = (
            select(
                of.column("pdf_sha256").label("pdf_sha256"),
                of.column("page_count").label("page_count"),
                content.label("content"),
                func.coalesce(paper_texts.c.pages, older_texts.c.pages).label("pages"),
                documents.c.converter,
                documents.c.quality,
                cast(documents.c.content, Text).label("document"),
            )
            .select_from(
                of.source.outerjoin(paper_texts, newest)
                .outerjoin(older_texts, older)
                .outerjoin(documents, of_pdf)
            )
            .where(*_has_text(of), content.is_not(None))
        )
        row = (await self._conn.execute(statement)).one_or_none()
        return None if row is None else (row.pdf_sha256, _text(row))

    async def list_with_file(
        self, *, after: tuple[str, int], limit: int
    ) -> Sequence[tuple[ArxivId, StoredPdf]]:
        """The pages that are held, by id and version, behind `after`."""
        key = tuple_(html_pages.c.arxiv_id, html_pages.c.version)
        statement = (
            select(html_pages)
            .where(key > tuple_(*map(literal, after)))
            .order_by(html_pages.c.arxiv_id, html_pages.c.version)
            .limit(limit)
        )
        return [
            (
                ArxivId(row.arxiv_id, row.version),
                StoredPdf(path=row.path, sha256=row.sha256, size_bytes=row.bytes),
            )
            for row in await self._conn.execute(statement)
        ]

    async def named(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths that a row names."""
        statement = select(html_pages.c.path).where(is_any_of(html_pages.c.path, paths))
        return set((await self._conn.execute(statement)).scalars())

    async def forget(self, arxiv_id: ArxivId, file: StoredPdf) -> bool:
        """Record that this very file is gone or damaged, and with it what was made of it."""
        is_this = [html_pages.c.path == file.path, html_pages.c.sha256 == file.sha256]
        gone = await self._conn.execute(delete(html_pages).where(_is(arxiv_id), *is_this))
        if gone.rowcount != 1:
            return False
        await self._conn.execute(
            delete(documents).where(
                documents.c.arxiv_id == arxiv_id.paper,
                documents.c.version == arxiv_id.version,
                documents.c.source == DocumentSource.HTML,
            )
        )
        return True


def _is(arxiv_id: ArxivId) -> ColumnElement[bool]:
    of_paper = html_pages.c.arxiv_id == arxiv_id.paper
    return and_(of_paper, html_pages.c.version == arxiv_id.version)


def _has_text(of: AtVersion) -> list[ColumnElement[bool]]:
    return [
        papers.c.arxiv_id == of.arxiv_id.paper,
        of.column("pdf_state") == PdfState.PROCESSED,
    ]


def _text(row: Row[Any]) -> ExtractedText:
    document = None
    if row.document is not None:
        document = StructuredDocument(
            source=DocumentSource.PDF,
            converter=row.converter,
            quality=row.quality,
            content=row.document,
        )
    return ExtractedText(
        text=row.content,
        page_count=row.page_count,
        pages=tuple(TextPage(**page) for page in row.pages or ()),
        document=document,
    )
