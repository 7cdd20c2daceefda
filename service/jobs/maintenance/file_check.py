"""File check: compares database rows with stored files, a few at a time.

A file may be deleted or altered behind our back, a backup may be older than the
folder beside it, and a crash may come between a row and its file. A row whose
file is not what it says forgets it, so that the next job that wants the paper
fetches it; a whole file that no row names is removed. All of it may be done by
several replicas at once, and stopped at any moment: each look stands for itself.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from service.db.engine import Database
from service.db.html_pages import HtmlPageStore
from service.db.papers import PaperStore
from service.db.version_files import NamedFile, VersionFileStore
from service.domain.errors import StorageUnavailable
from service.domain.identifiers import ArxivId
from service.domain.papers import StoredPdf
from service.files.paths import id_of
from service.files.store import PdfStore

# No row comes so late: far beyond the longest lease, and the longest wait for a database.
SAFE_AGE = timedelta(days=1)
STEP_DEADLINE = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Walk:
    """Where one of us stands on its way through all rows, or all files.

    Who has come to the end rests for so long, and begins anew.
    """

    at_once: int
    rest: timedelta
    after: str = ""  # "": at the beginning
    _rests_until: float = 0.0  # loop time

    @property
    def is_resting(self) -> bool:
        """True for a while after the end."""
        return _now() < self._rests_until

    def end(self) -> None:
        """Nothing is left behind `after`."""
        self.after = ""
        self._rests_until = _now() + self.rest.total_seconds()


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class FileCheck:
    """Compares a few rows and files with each `step`; a crash forgets only how far it came.

    All rows are compared by size, hourly if their number allows, and one after the
    other by content, once a day.
    """

    database: Database
    store: PdfStore
    safe_age: timedelta = SAFE_AGE
    by_size: Walk = field(default_factory=lambda: Walk(200, timedelta(hours=1)))
    by_content: Walk = field(default_factory=lambda: Walk(1, timedelta(days=1)))
    pages_by_size: Walk = field(default_factory=lambda: Walk(200, timedelta(hours=1)))
    pages_by_content: Walk = field(default_factory=lambda: Walk(1, timedelta(days=1)))
    versions_by_size: Walk = field(default_factory=lambda: Walk(200, timedelta(hours=1)))
    versions_by_content: Walk = field(default_factory=lambda: Walk(1, timedelta(days=1)))
    files: Walk = field(default_factory=lambda: Walk(200, timedelta(hours=1)))

    async def step(self) -> dict[str, int]:
        """Compare the next rows and files; returns how many files were forgotten and removed.

        Raises StorageUnavailable, also when the storage does not answer in time, and
        DatabaseUnavailable. The next step goes on where this one came to.
        """
        try:
            async with asyncio.timeout(STEP_DEADLINE.total_seconds()):
                forgotten = [await self._forget(row) async for row in self._lost()]
                forgotten += [await self._forget_page(*one) async for one in self._lost_pages()]
                return {"forgotten": sum(forgotten), "removed": await self._remove_unnamed()}
        except TimeoutError as err:
            raise StorageUnavailable("The PDF storage does not answer in time") from err

    async def _lost(self) -> AsyncIterator[NamedFile]:
        """The next rows whose file is missing, or is not what they say; older versions' too."""
        for rows in (self._rows(self.by_size), self._older_rows(self.versions_by_size)):
            async for row in rows:
                if await self.store.size_of(row.pdf_path) != row.pdf_bytes:
                    yield row
        for rows in (self._rows(self.by_content), self._older_rows(self.versions_by_content)):
            async for row in rows:
                if not await self.store.verify(row.pdf_path, row.pdf_sha256, row.pdf_bytes):
                    yield row

    async def _rows(self, walk: Walk) -> AsyncIterator[NamedFile]:
        if walk.is_resting:
            return
        async with self.database.transaction() as conn:
            rows = await PaperStore(conn).list_with_file(after=walk.after, limit=walk.at_once)
        for row in rows:
            walk.after = row.arxiv_id  # now, so that one bad place cannot hold up the walk
            yield row
        if len(rows) < walk.at_once:
            walk.end()

    async def _older_rows(self, walk: Walk) -> AsyncIterator[NamedFile]:
        if walk.is_resting:
            return
        after = ArxivId.parse(walk.after) if walk.after else None
        async with self.database.transaction() as conn:
            rows = await VersionFileStore(conn).list_with_file(after=after, limit=walk.at_once)
        for row in rows:
            walk.after = str(ArxivId(row.arxiv_id, row.version))
            yield row
        if len(rows) < walk.at_once:
            walk.end()

    async def _lost_pages(self) -> AsyncIterator[tuple[ArxivId, StoredPdf]]:
        """The next pages of HTML whose file is missing, or is not what their row says."""
        async for arxiv_id, file in self._pages(self.pages_by_size):
            if await self.store.size_of(file.path) != file.size_bytes:
                yield arxiv_id, file
        async for arxiv_id, file in self._pages(self.pages_by_content):
            if not await self.store.verify(file.path, file.sha256, file.size_bytes):
                yield arxiv_id, file

    async def _pages(self, walk: Walk) -> AsyncIterator[tuple[ArxivId, StoredPdf]]:
        if walk.is_resting:
            return
        last = ArxivId.parse(walk.after) if walk.after else None
        after = ("", 0) if last is None else (last.paper, last.version or 0)
        async with self.database.transaction() as conn:
            pages = await HtmlPageStore(conn).list_with_file(after=after, limit=walk.at_once)
        for arxiv_id, file in pages:
            walk.after = str(arxiv_id)
            yield arxiv_id, file
        if len(pages) < walk.at_once:
            walk.end()

    async def _forget_page(self, arxiv_id: ArxivId, file: StoredPdf) -> bool:
        async with self.database.transaction() as conn:
            is_forgotten = await HtmlPageStore(conn).forget(arxiv_id, file)
        if is_forgotten:
            _log.warning("file missing, path cleared", arxiv_id=str(arxiv_id), path=file.path)
        return is_forgotten

    async def _forget(self, row: NamedFile) -> bool:
        pdf = StoredPdf(path=row.pdf_path, sha256=row.pdf_sha256, size_bytes=row.pdf_bytes)
        async with self.database.transaction() as conn:
            is_forgotten = await PaperStore(conn).forget_file(
                ArxivId(row.arxiv_id, row.version), pdf
            )
        if is_forgotten:
            _log.warning("file missing, path cleared", arxiv_id=row.arxiv_id, path=row.pdf_path)
        return is_forgotten

    async def _remove_unnamed(self) -> int:
        """Remove old files of papers that we know, and whose rows name another file or none.

        Files of papers that are not in the database stay: it may be the wrong one.
        """
        if self.files.is_resting:
            return 0
        found = await self.store.list_files(after=self.files.after, limit=self.files.at_once)
        if len(found) < self.files.at_once:
            self.files.end()
        else:
            self.files.after = found[-1].path
        before = datetime.now(UTC) - self.safe_age
        old = {file.path: id_of(file.path) for file in found if file.changed_at < before}
        ours = {path: arxiv_id.paper for path, arxiv_id in old.items() if arxiv_id is not None}
        async with self.database.transaction() as conn:
            held = await PaperStore(conn).find_many(ours.values())
            named = await HtmlPageStore(conn).named(ours)
            named |= await VersionFileStore(conn).paths(ours.values())
        removed = 0
        for path, paper in ours.items():
            if paper in held and held[paper].pdf_path != path and path not in named:
                removed += await self.store.remove(path, older_than=self.safe_age)
        return removed
