"""PDF store: what the rest of the service may ask of it, and what all storages have in common.

Wherever PDFs are kept in the end, a download first lands in a folder of this host.
What must be true of that folder is the same everywhere: one writer for each
part, nothing left that nobody can use, and an early word when the disk is full.
"""

import asyncio
import errno
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from service.domain.errors import BadPdf, PermanentError, StorageUnavailable
from service.domain.identifiers import ArxivId
from service.domain.papers import StoredPdf
from service.files.blocking import in_thread
from service.files.folder import FILE_MODE, Root, storage_errors
from service.files.partial_file import Part, remove_abandoned
from service.files.paths import PARTS, Ending, new_probe, path_for, stem_of

ROOM_BYTES = 1 << 20  # with less left than this a download is not worth beginning
PROBE_BYTES = 4096  # one block: an empty file would still fit on a full disk
PROBE_DEADLINE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is there; when it last changed is told by the clock of the storage."""

    path: str
    changed_at: datetime


class PdfStore(ABC):
    """Stored PDFs and HTML; those in progress lie below the folder `root`, none over `max_bytes`.

    Each method raises `StorageUnavailable` when the storage cannot do it now.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._root = Root(root.absolute())
        self._max_bytes = max_bytes
        self._needed_bytes = 0  # what the last download that met a full disk had reached
        self._probe: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Create what is missing (folders, marker); to be called once at start."""
        with storage_errors():
            await in_thread(self._root.create)

    @asynccontextmanager
    async def partial(
        self, arxiv_id: ArxivId, ending: Ending = Ending.PDF, *, max_bytes: int | None = None
    ) -> AsyncIterator[Part]:
        """A part of this version: one that a dead process left behind, or a new, empty one.

        It grows to `max_bytes` at most, without them to what the store allows.

        It is ours alone until the block ends: two downloads of one version at once get a
        part each. When the block ends without a commit, a part with an ETag is kept to be
        resumed; after a permanent error, or when the storage failed, nothing is kept.
        """
        part = Part(self._root, stem_of(arxiv_id), max_bytes or self._max_bytes, ending)
        try:
            await in_thread(part.open)
            yield part
        except (PermanentError, StorageUnavailable) as err:
            if _is_full(err):
                self._needed_bytes = part.size
            await part.discard()
            raise
        finally:
            await in_thread(part.close)

    async def commit(self, part: Part, arxiv_id: ArxivId) -> StoredPdf:
        """Keep the part for good; raises BadPdf (`corrupt`) for an empty one."""
        if not part.size:
            raise BadPdf(f"The {part.ending.upper()} is empty", code="corrupt")
        path = path_for(arxiv_id, part.sha256, part.ending)
        pdf = StoredPdf(path=path, sha256=part.sha256, size_bytes=part.size)
        await self._keep(part, pdf)
        self._needed_bytes = 0  # what an earlier one lacked is there
        return pdf

    @abstractmethod
    async def _keep(self, part: Part, pdf: StoredPdf) -> None:
        """Give the part its final place; when this returns no power cut can take it away."""

    @abstractmethod
    async def verify(self, path: str, sha256: str, size_bytes: int) -> bool:
        """True when the file of that name has this size and content."""

    @abstractmethod
    def local_copy(self, pdf: StoredPdf) -> AbstractAsyncContextManager[Path]:
        """A local file with the content, for as long as the block lasts; raises NotFound."""

    @abstractmethod
    def read(self, path: str, wanted: range) -> AsyncGenerator[bytes]:
        """These bytes of a stored file, in pieces; raises NotFound if it does not have them."""

    async def check_writable(self) -> None:
        """Return when a download could be stored now.

        Writes a file, forces it to disk and removes it; StorageUnavailable when that fails or
        takes over 5 s. Calls at the same time share one probe, so that a hanging disk holds
        one thread, not one for each question.
        """
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(asyncio.to_thread(self._try_out))
            self._probe.add_done_callback(_note_end)
        try:
            async with asyncio.timeout(PROBE_DEADLINE.total_seconds()):
                with storage_errors():
                    await asyncio.shield(self._probe)
        except TimeoutError as err:
            raise StorageUnavailable("The PDF storage does not answer in time") from err

    async def sweep(self, older_than: timedelta) -> int:
        """Remove partial files that nobody works on, unchanged for so long; returns how many."""
        with storage_errors():
            return await in_thread(self._sweep, time.time() - older_than.total_seconds())

    @abstractmethod
    async def size_of(self, path: str) -> int | None:
        """How long the stored file is; None when there is none."""

    @abstractmethod
    async def list_files(self, *, after: str, limit: int) -> Sequence[KeptFile]:
        """At most `limit` files that are no partial ones, behind the path `after` ("": the first).

        In an order of the storage's own; an empty list is the end.
        """

    @abstractmethod
    async def remove(self, path: str, *, older_than: timedelta = timedelta(0)) -> bool:
        """Remove a stored file that has not changed for so long; False if it was not removed."""

    # What follows blocks.

    def _try_out(self) -> None:
        folder = self._root.open_for_writing(PARTS)
        name = new_probe()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, FILE_MODE, dir_fd=folder)
            try:
                os.write(fd, bytes(PROBE_BYTES))
                os.fsync(fd)
                self._require_room(fd)
            finally:
                os.close(fd)
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)

    def _require_room(self, fd: int) -> None:
        """Raise OSError (ENOSPC) when the next download is likely to meet a full disk."""
        disk = os.fstatvfs(fd)
        has_size = disk.f_blocks > 0  # some network file systems do not say
        if has_size and disk.f_bavail * disk.f_frsize < self._needed_bytes + ROOM_BYTES:
            raise OSError(errno.ENOSPC, "too little room")

    def _sweep(self, before: float) -> int:
        folder = self._root.open_for_writing(PARTS)
        try:
            return remove_abandoned(folder, before)
        finally:
            os.close(folder)


def _note_end(probe: asyncio.Task[None]) -> None:
    """Look at the result of a probe that nobody may be waiting for any more."""
    if not probe.cancelled():
        probe.exception()


def _is_full(err: BaseException) -> bool:
    cause = err.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
