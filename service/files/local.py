"""Local folder of PDFs that all replicas share.

A file becomes visible only whole: it is downloaded into a partial file on the
same file system, forced to disk, checked by its owner, renamed in one step, and
the folder is forced to disk; only then does the caller hear of it and write its
row. Readers therefore never see a short file, and a row never claims one that a
power cut could still take away. The name holds a part of the checksum, so what a
row names is never written over by other bytes.
"""

import errno
import hashlib
import io
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from aiofiles.threadpool import wrap

from service.domain.errors import NotFound
from service.domain.papers import StoredPdf
from service.files.blocking import in_thread, to_its_end
from service.files.folder import open_file, remove_file, require_replaceable, storage_errors
from service.files.partial_file import Part
from service.files.paths import is_plain
from service.files.store import KeptFile, PdfStore

T = TypeVar("T")

READ_BYTES = 64 * 1024


class LocalStore(PdfStore):
    """PDFs below a folder `root` that all replicas share; see `PdfStore` for the methods.

    The folder must exist, or be made with `prepare`. `fsync` is for tests that watch the
    order of things.
    """

    def __init__(
        self, root: Path, *, max_bytes: int, fsync: Callable[[int], None] = os.fsync
    ) -> None:
        super().__init__(root, max_bytes=max_bytes)
        self._fsync = fsync

    async def _keep(self, part: Part, pdf: StoredPdf) -> None:
        """Force the part to disk, then give it its final name (atomic, durable).

        A file already there is replaced: by the same bytes, unless somebody altered
        it. A symbolic link at the target or above it raises StorageUnavailable and is left
        as it was.
        """
        with storage_errors():
            await in_thread(self._place, part, pdf.path)

    async def verify(self, path: str, sha256: str, size_bytes: int) -> bool:
        """False also for a file that is missing, a link, or named by no path of ours."""
        with storage_errors():
            return await in_thread(self._has, path, sha256, size_bytes)

    @asynccontextmanager
    async def local_copy(self, pdf: StoredPdf) -> AsyncIterator[Path]:
        """The stored file itself, by its absolute path: regular, inside the root, no links."""
        with storage_errors():
            size = await in_thread(self._size_of, pdf.path)
        if size is None:
            raise NotFound("PDF not found", code="pdf_not_found")
        yield self._root.path / pdf.path

    async def read(self, path: str, wanted: range) -> AsyncGenerator[bytes]:
        """Pieces of at most 64 KiB; all are of one file, also when it is replaced meanwhile.

        Refuses what `local_copy` refuses.
        """
        with storage_errors():
            file = wrap(await in_thread(self._open, path, wanted))
        try:
            left = len(wanted)
            while left:
                with storage_errors():
                    piece = await to_its_end(file.read(min(left, READ_BYTES)))
                if not piece:
                    raise NotFound("PDF not found", code="pdf_not_found")
                left -= len(piece)
                yield piece
        finally:
            await to_its_end(file.close())

    async def size_of(self, path: str) -> int | None:
        """None also for a link, and for what is named by no path of ours."""
        with storage_errors():
            return await in_thread(self._size_of, path)

    async def list_files(self, *, after: str, limit: int) -> Sequence[KeptFile]:
        """Folder by folder; each call reads the names of two or three folders."""
        with storage_errors():
            return await in_thread(self._listed, after, limit)

    async def remove(self, path: str, *, older_than: timedelta = timedelta(0)) -> bool:
        """The age is checked again at once: what was replaced just now stays."""
        with storage_errors():
            return await in_thread(self._remove, path, time.time() - older_than.total_seconds())

    # What follows blocks.

    def _place(self, part: Part, path: str) -> None:
        *folders, name = path.split("/")
        self._fsync(part.fileno())
        folder = self._root.open_for_writing(*folders)
        try:
            require_replaceable(folder, name)
            part.move_to(folder, name)
            self._fsync(folder)
        finally:
            os.close(folder)

    def _has(self, path: str, sha256: str, size_bytes: int) -> bool:
        fd = self._find(path)
        if fd is None:
            return False
        with os.fdopen(fd, "rb") as file:
            if os.fstat(fd).st_size != size_bytes:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def _open(self, path: str, wanted: range) -> io.FileIO:
        """The stored file, standing at the range; raises NotFound when it ends before that does."""
        fd = self._find(path)
        if fd is None:
            raise NotFound("PDF not found", code="pdf_not_found")
        file = io.FileIO(fd, "rb")  # closes what it holds, should nobody take it
        if os.fstat(fd).st_size < wanted.stop:
            file.close()
            raise NotFound("PDF not found", code="pdf_not_found")
        file.seek(wanted.start)
        return file

    def _size_of(self, path: str) -> int | None:
        fd = self._find(path)
        if fd is None:
            return None
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)

    def _listed(self, after: str, limit: int) -> Sequence[KeptFile]:
        with closing(self._root.files(after)) as files:
            found = islice(files, limit)
            return [KeptFile(path, datetime.fromtimestamp(at, UTC)) for path, at in found]

    def _remove(self, path: str, before: float) -> bool:
        removed = self._in_folder_of(path, lambda *place: remove_file(*place, before=before))
        return removed is True

    def _find(self, path: str) -> int | None:
        """A descriptor of the stored file; None when it is not there, or not a plain file."""
        return self._in_folder_of(path, open_file)

    def _in_folder_of(self, path: str, do: Callable[[int, str], T]) -> T | None:
        """What `do` makes of the open folder and the name; None when there is no such file."""
        *folders, name = path.split("/")
        if not is_plain(path):
            return None
        os.close(self._root.open())  # a missing root is no missing file
        try:
            folder = self._root.open(*folders)
            try:
                return do(folder, name)
            finally:
                os.close(folder)
        except OSError as err:
            if err.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                return None
            raise
