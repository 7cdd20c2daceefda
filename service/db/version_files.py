"""Files and texts of older versions in SQL; those of the newest one are in `papers`.

When a newer version comes, a trigger moves what is held of the file to the row of its
version. There it stays until the newer one is processed, and longer if the version is kept:
a job asked for it by its number, or KEEP_VERSIONS is set.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Integer, Text

from service.db.conditions import is_any_of
from service.db.paper_rows import NO_FILE, file_columns
from service.db.rows import typed
from service.db.tables import documents, paper_texts, paper_versions, papers
from service.db.version_tables import older_texts
from service.domain.identifiers import ArxivId
from service.domain.papers import DocumentSource, PdfState, StoredPdf, TextState

_TEXT = [column.name for column in older_texts.c]
_WITH_FILE = (PdfState.DOWNLOADED, PdfState.PROCESSED)


class NamedFile(NamedTuple):
    """A file that a row names, of a paper or of an older version."""

    arxiv_id: str
    version: int
    pdf_path: str
    pdf_sha256: str
    pdf_bytes: int


class Dropped(NamedTuple):
    """A version whose file was dropped, and where that was."""

    arxiv_id: str
    version: int
    path: str | None


def is_kept(table: Table) -> ColumnElement[bool]:
    """Whether the version of a row of `table` (arxiv_id, version) is kept."""
    return (
        select(paper_versions.c.version)
        .where(
            paper_versions.c.arxiv_id == table.c.arxiv_id,
            paper_versions.c.version == table.c.version,
            paper_versions.c.is_kept,
        )
        .exists()
    )


class VersionFileStore:
    """SQL on files of older versions, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def keep(self, versions: Collection[ArxivId]) -> None:
        """Keep these versions of papers, whose rows are there."""
        if versions:
            await self._conn.execute(
                update(paper_versions).where(_among(versions)).values(is_kept=True)
            )

    async def keep_older(self, arxiv_ids: Collection[str]) -> None:
        """Keep all older versions of these papers that have a file."""
        await self._conn.execute(
            update(paper_versions)
            .where(
                is_any_of(paper_versions.c.arxiv_id, arxiv_ids),
                paper_versions.c.pdf_state.in_(_WITH_FILE),
                ~paper_versions.c.is_kept,
            )
            .values(is_kept=True)
        )

    async def states(self, versions: Collection[ArxivId]) -> Mapping[ArxivId, str]:
        """The pdf_state of those of these older versions that are known."""
        if not versions:
            return {}
        columns = (paper_versions.c.arxiv_id, paper_versions.c.version, paper_versions.c.pdf_state)
        rows = await self._conn.execute(select(*columns).where(_among(versions)))
        return {ArxivId(row.arxiv_id, row.version): row.pdf_state for row in rows}

    async def list_with_file(self, *, after: ArxivId | None, limit: int) -> Sequence[NamedFile]:
        """The older versions that claim a file, in order, behind `after`."""
        one = paper_versions.c
        statement: Select[Any] = (
            select(one.arxiv_id, one.version, one.pdf_path, one.pdf_sha256, one.pdf_bytes)
            .where(one.pdf_path.is_not(None))
            .order_by(one.arxiv_id, one.version)
            .limit(limit)
        )
        if after is not None:
            place = tuple_(literal(after.paper), literal(after.version))
            statement = statement.where(tuple_(one.arxiv_id, one.version) > place)
        return typed(NamedFile, await self._conn.execute(statement))

    async def paths(self, arxiv_ids: Iterable[str]) -> set[str]:
        """The files that older versions of these papers claim."""
        statement = select(paper_versions.c.pdf_path).where(
            is_any_of(paper_versions.c.arxiv_id, arxiv_ids),
            paper_versions.c.pdf_path.is_not(None),
        )
        return set((await self._conn.execute(statement)).scalars())

    async def save_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> str | None:
        """As `PaperStore.save_file`, of a version that is not the newest."""
        before = paper_versions.alias("before")
        is_another = or_(
            paper_versions.c.pdf_sha256.is_distinct_from(pdf.sha256),
            paper_versions.c.pdf_path.is_distinct_from(pdf.path),
        )
        is_same_row = and_(
            before.c.arxiv_id == paper_versions.c.arxiv_id,
            before.c.version == paper_versions.c.version,
        )
        statement = (
            update(paper_versions)
            .where(*_is_older(arxiv_id), is_another, is_same_row)
            .values(file_columns(pdf))
            .returning(before.c.pdf_path)
        )
        left: str | None = (await self._conn.execute(statement)).scalar_one_or_none()
        return left if left != pdf.path else None

    async def save_text(
        self, arxiv_id: ArxivId, values: Mapping[str, Any], *, page_count: int
    ) -> bool:
        """As `PaperStore.save_text`: `values` are the columns of the text."""
        state = {
            "pdf_state": PdfState.PROCESSED,
            "page_count": page_count,
            "text_state": values["text_state"],
        }
        if not await self._update(arxiv_id, paper_versions.c.pdf_path.is_not(None), **state):
            return False
        statement = insert(older_texts).values(
            arxiv_id=arxiv_id.paper, version=arxiv_id.version, **values
        )
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=list(older_texts.primary_key.columns),
                set_={name: statement.excluded[name] for name in values}
                | {"extracted_at": func.now()},
            )
        )
        return True

    async def save_encrypted(self, arxiv_id: ArxivId) -> None:
        """As `PaperStore.save_encrypted`."""
        has_no_text = paper_versions.c.pdf_state != PdfState.PROCESSED
        await self._update(arxiv_id, has_no_text, text_state=TextState.ENCRYPTED)

    async def save_no_file(self, arxiv_id: ArxivId, state: PdfState) -> None:
        """As `PaperStore.save_no_file`."""
        await self._update(arxiv_id, paper_versions.c.pdf_path.is_(None), pdf_state=state)

    async def forget_file(self, arxiv_id: ArxivId, pdf: StoredPdf) -> bool:
        """As `PaperStore.forget_file`."""
        one = paper_versions.c
        is_this = [one.pdf_path == pdf.path, one.pdf_sha256 == pdf.sha256]
        if not await self._update(arxiv_id, *is_this, **NO_FILE):
            return False
        for table in (older_texts, documents):
            of_this = [table.c.arxiv_id == arxiv_id.paper, table.c.version == arxiv_id.version]
            if table is documents:
                of_this.append(documents.c.source == DocumentSource.PDF)
            await self._conn.execute(delete(table).where(*of_this))
        return True

    async def save_replaced_text(self, arxiv_id: ArxivId) -> None:
        """Take over the text that `paper_texts` holds of a version before this one, if any.

        Only where the file that it is of is held; called before that text is written over.
        """
        is_held = and_(
            paper_versions.c.arxiv_id == paper_texts.c.arxiv_id,
            paper_versions.c.version == paper_texts.c.version,
            paper_versions.c.pdf_state == PdfState.PROCESSED,
        )
        held = (
            select(*(paper_texts.c[name] for name in _TEXT))
            .join(paper_versions, is_held)
            .where(
                paper_texts.c.arxiv_id == arxiv_id.paper, paper_texts.c.version < arxiv_id.version
            )
        )
        await self._conn.execute(
            insert(older_texts).from_select(_TEXT, held).on_conflict_do_nothing()
        )

    async def drop_replaced(self, arxiv_ids: Collection[str]) -> Sequence[Dropped]:
        """Drop files, texts and documents of older versions where the newest is processed.

        Kept ones stay. Returns what was dropped; no row names these files any more.
        """
        before = paper_versions.alias("before")
        one = paper_versions.c
        newest_is_there = and_(
            papers.c.arxiv_id == one.arxiv_id,
            papers.c.version > one.version,
            papers.c.pdf_state == PdfState.PROCESSED,
        )
        statement = (
            update(paper_versions)
            .where(
                is_any_of(one.arxiv_id, arxiv_ids),
                ~one.is_kept,
                one.pdf_state != PdfState.NONE,
                newest_is_there,
                before.c.arxiv_id == one.arxiv_id,
                before.c.version == one.version,
            )
            .values(**NO_FILE)
            .returning(one.arxiv_id, one.version, before.c.pdf_path)
        )
        dropped = [Dropped(*row) for row in (await self._conn.execute(statement)).all()]
        versions = [ArxivId(one.arxiv_id, one.version) for one in dropped]
        if versions:
            for table in (older_texts, documents):
                await self._conn.execute(delete(table).where(_among(versions, table)))
        return dropped

    async def _update(
        self, arxiv_id: ArxivId, *conditions: ColumnElement[bool], **values: object
    ) -> bool:
        statement = update(paper_versions).where(*_is_older(arxiv_id), *conditions)
        return (await self._conn.execute(statement.values(**values))).rowcount == 1


def _is_older(arxiv_id: ArxivId) -> list[ColumnElement[bool]]:
    return [
        paper_versions.c.arxiv_id == arxiv_id.paper,
        paper_versions.c.version == arxiv_id.version,
        papers.c.arxiv_id == paper_versions.c.arxiv_id,
        papers.c.version > paper_versions.c.version,
    ]


def _among(versions: Collection[ArxivId], table: Table = paper_versions) -> ColumnElement[bool]:
    """Whether a row is of one of these versions; both columns are of its primary key."""
    given = func.unnest(
        literal([one.paper for one in versions], ARRAY(Text)),
        literal([one.version for one in versions], ARRAY(Integer)),
    ).table_valued("arxiv_id", "version")
    chosen = given.render_derived(name="given")
    return tuple_(table.c.arxiv_id, table.c.version).in_(select(*chosen.c))
