"""Scratch folder of any storage: partial files, and a write check of the disk.

Whatever the final storage is, a download first lands in a folder of this host.
What must be true of that folder is the same everywhere: one writer for each
part, nothing left that nobody can use, and an early word when the disk is full.
"""

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from service.domain.errors import PermanentError, StorageUnavailable
from service.domain.identifiers import ArxivId
from service.files import claim
from service.files.blocking import in_thread
from service.files.folder import FILE_MODE, Root, storage_errors
from service.files.partial_file import Part
from service.files.paths import stem_of

ROOM_BYTES = 1 << 20  # with less left than this a download is not worth beginning
PROBE_BYTES = 4096  # one block: an empty file would still fit on a full disk
PROBE_DEADLINE = timedelta(seconds=5)


class Scratch:
    """Partial files below `root`; none grows over `max_bytes`."""

    def __init__(self, root: Root, max_bytes: int) -> None:
        self.root = root
        self._max_bytes = max_bytes
        self._needed_bytes = 0  # what the last download that met a full disk had reached
        self._probe: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Make the root folder and its marker, unless they are there."""
        with storage_errors():
            await in_thread(self.root.create)

    @asynccontextmanager
    async def partial(self, arxiv_id: ArxivId) -> AsyncIterator[Part]:
        """A part of this version: one that a dead process left behind, or a new, empty one.

        Two downloads of one version at once get a part each. When the block
        ends without a commit, a part with an ETag is kept to be resumed; after
        a permanent error, or when the storage failed, nothing is kept.
        """
        part = Part(self.root, stem_of(arxiv_id), self._max_bytes)
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

    def note_room(self) -> None:
        """A download came to its end: what an earlier one lacked is there."""
        self._needed_bytes = 0

    async def check_writable(self) -> None:
        """Write, fsync and remove a file; StorageUnavailable when that fails or takes over 5 s.

        Calls at the same time share one probe, so that a hanging disk holds one
        thread, not one for each question.
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
        """Look through the folder of partial files; nothing else is touched."""
        with storage_errors():
            return await in_thread(self._sweep, time.time() - older_than.total_seconds())

    # What follows blocks.

    def _try_out(self) -> None:
        folder = self.root.open_for_writing(claim.FOLDER)
        name = claim.probe_name()
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
        folder = self.root.open_for_writing(claim.FOLDER)
        try:
            return claim.remove_abandoned(folder, before)
        finally:
            os.close(folder)


def _note_end(probe: asyncio.Task[None]) -> None:
    """Look at the result of a probe that nobody may be waiting for any more."""
    if not probe.cancelled():
        probe.exception()


def _is_full(err: BaseException) -> bool:
    cause = err.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
