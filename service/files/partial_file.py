"""Partial download: a local file that grows until it is committed or discarded.

The part checks its size while it grows, knows the SHA-256 of what it holds (also
after it was taken over from a dead process), and removes itself when the disk
refuses a write. Whatever the final storage is, a download lands here first.

Whoever writes holds an exclusive `flock` on the file, which the kernel drops when
the process dies, however it dies: a part without a lock has no living writer, and
may be taken over by the next download of the same version or swept away.
"""

import errno
import fcntl
import hashlib
import io
import os
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aiofiles.threadpool import wrap

from service.domain.errors import BadPdf, StorageUnavailable
from service.files.blocking import in_thread, to_its_end
from service.files.folder import FILE_MODE, Root, open_file, storage_errors
from service.files.paths import (
    PARTS,
    Ending,
    etag_of,
    is_part_of,
    is_temporary,
    new_part,
    part_with,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MARGIN_BYTES = 1024  # the header may begin this far in (fault list, 56)
CLAIM_ATTEMPTS = 5  # a new part is lost only to a sweep in the same microsecond
_BLOCK_BYTES = 1 << 20


class _HashedFile(io.FileIO):
    """An unbuffered file that knows the length and the SHA-256 of its content."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "r+b")
        self.size = 0
        self.sha256 = hashlib.sha256()

    def read_to_the_end(self) -> None:
        """Take in what the file already holds and stand behind it."""
        while block := self.read(_BLOCK_BYTES):
            self.sha256.update(block)
            self.size += len(block)

    def write(self, data: "ReadableBuffer") -> int:
        """Append; a full disk may take less than was given, as with any raw file."""
        taken = super().write(data)
        self.sha256.update(memoryview(data)[:taken])
        self.size += taken
        return taken

    def start_over(self) -> None:
        """Be empty again."""
        self.seek(0)
        self.truncate()
        self.size = 0
        self.sha256 = hashlib.sha256()


class Part:
    """A partial file that we alone write to, from `open` to `close`.

    After `open` it is either empty or holds the beginning of the file that
    `etag` names, left by a process that died; `size` says where to go on.
    """

    def __init__(self, root: Root, stem: str, max_bytes: int, ending: Ending = Ending.PDF) -> None:
        self.etag: str | None = None
        self.ending = ending
        self._root = root
        self._stem = stem if ending is Ending.PDF else f"{stem}.{ending}"
        self._max_bytes = max_bytes
        self._folder = -1
        self._name: str | None = None  # None: not there yet, or no longer
        self._file: _HashedFile | None = None

    @property
    def size(self) -> int:
        """Bytes that were written, or found when the part was taken over."""
        return 0 if self._file is None else self._file.size

    @property
    def sha256(self) -> str:
        """The checksum of these bytes, in lower-case hex."""
        return self._opened.sha256.hexdigest()

    @property
    def path(self) -> Path:
        """Where the file is now; for reading only, and only until it is committed."""
        return self._root.path / PARTS / self._present_name

    async def write(self, chunk: bytes) -> None:
        """Append `chunk`.

        Raises BadPdf (`too_large`) instead when the file would grow over the
        limit, and StorageUnavailable when the disk does not take it; in both cases the
        part is gone.
        """
        await self.expect(self.size + len(chunk))
        await self._or_gone(self._append(chunk))

    async def expect(self, size: int) -> None:
        """Return if a file of `size` bytes is within the limit.

        Raises BadPdf (`too_large`) if not; the part is gone then.
        """
        if size > self._max_bytes:
            await self.discard()
            message = f"The {self.ending.upper()} is larger than {self._max_bytes} bytes"
            raise BadPdf(message, code="too_large")

    async def record_etag(self, etag: str | None) -> None:
        """Note which file the bytes belong to, so that a later download may go on with them.

        A part without an ETag (or with one over 120 bytes) is not kept.
        """
        await self._or_gone(in_thread(self._rename_for, etag))

    async def truncate(self) -> None:
        """Start over: empty, and without an ETag."""
        await self._or_gone(in_thread(self._start_over))

    async def looks_like_pdf(self) -> bool:
        """True when `%PDF-` stands within the first 1,024 bytes."""
        with storage_errors():
            return b"%PDF-" in await in_thread(os.pread, self.fileno(), MARGIN_BYTES, 0)

    async def discard(self) -> None:
        """Remove the file; what was downloaded is of no use to anybody."""
        await in_thread(self._unlink)

    # What follows blocks, and is for the store.

    def open(self) -> None:
        """Take over a part that was left behind, or make a new one; raises StorageUnavailable."""
        with storage_errors():
            self._folder = self._root.open_for_writing(PARTS)
            left = inherit(self._folder, self._stem, self._max_bytes)
            name, fd = left or create(self._folder, self._stem)
            self._file = _HashedFile(fd)
            self._name = name
            self.etag = etag_of(name)
            self._file.read_to_the_end()

    def fileno(self) -> int:
        """The descriptor of the open file."""
        return self._opened.fileno()

    def move_to(self, folder: int, name: str) -> None:
        """Give the file its final name, in one step; raises OSError."""
        os.rename(self._present_name, name, src_dir_fd=self._folder, dst_dir_fd=folder)
        self._name = None

    def close(self) -> None:
        """Let go of the file: kept when a later download can resume it, else removed."""
        if self.etag is None or self.size == 0:
            self._unlink()
        if self._file is not None:
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
            with suppress(OSError):
                self._file.close()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    @property
    def _opened(self) -> _HashedFile:
        if self._file is None:
            raise RuntimeError("the part is not open")
        return self._file

    @property
    def _present_name(self) -> str:
        if self._name is None:
            raise RuntimeError("the part is committed or gone")
        return self._name

    async def _append(self, chunk: bytes) -> None:
        file, rest = wrap(self._opened), memoryview(chunk)
        while rest:
            rest = rest[await to_its_end(file.write(rest)) :]

    async def _or_gone(self, work: Awaitable[None]) -> None:
        """Await `work`; when the storage fails, remove the part before saying so."""
        try:
            with storage_errors():
                await work
        except StorageUnavailable:
            await self.discard()
            raise

    def _rename_for(self, etag: str | None) -> None:
        name = part_with(self._present_name, etag)
        os.rename(self._present_name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._name, self.etag = name, etag_of(name)

    def _start_over(self) -> None:
        self._opened.start_over()
        self._rename_for(None)

    def _unlink(self) -> None:
        name, self._name = self._name, None
        if name is not None:
            with suppress(OSError):  # the disk may be gone; a sweep finds what is left
                os.unlink(name, dir_fd=self._folder)


# What follows blocks.


def create(folder: int, stem: str) -> tuple[str, int]:
    """A new, empty part of ours: its name and a locked descriptor."""
    for _ in range(CLAIM_ATTEMPTS):
        name = new_part(stem)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(name, flags, FILE_MODE, dir_fd=folder)
        if _holds(fd, folder, name):
            return name, fd
        os.close(fd)
    raise OSError(errno.EAGAIN, "new parts vanish")


def inherit(folder: int, stem: str, max_bytes: int) -> tuple[str, int] | None:
    """A part of the same version whose writer died, locked for us; None when there is none.

    Abandoned parts that nobody could go on with (no ETag, empty, over
    `max_bytes`) are removed on the way.
    """
    for name in os.listdir(folder):
        fd = lock(folder, name) if is_part_of(name, stem) else None
        if fd is None:
            continue
        if etag_of(name) is not None and 0 < os.fstat(fd).st_size <= max_bytes:
            return name, fd
        os.unlink(name, dir_fd=folder)
        os.close(fd)
    return None


def remove_abandoned(folder: int, before: float) -> int:
    """Remove the parts (and probes) that nobody holds, last changed before `before` (epoch).

    Returns how many. Files with other names, links and folders stay.
    """
    return sum(_removed(folder, name, before) for name in os.listdir(folder) if is_temporary(name))


def _removed(folder: int, name: str, before: float) -> bool:
    fd = lock(folder, name)
    if fd is None:
        return False
    try:
        if os.fstat(fd).st_mtime >= before:
            return False
        os.unlink(name, dir_fd=folder)
        return True
    finally:
        os.close(fd)


def lock(folder: int, name: str) -> int | None:
    """A locked descriptor of an existing part; None when it is held, gone or no plain file."""
    try:
        fd = open_file(folder, name, os.O_RDWR)
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENXIO):
            return None
        raise
    if os.fstat(fd).st_nlink == 1 and _holds(fd, folder, name):
        return fd
    os.close(fd)
    return None


def _holds(fd: int, folder: int, name: str) -> bool:
    """Lock `fd`; False when another holds it, or when it no longer is the file of that name.

    The second happens when its writer finished between our open and our lock.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    with suppress(FileNotFoundError):
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.path.samestat(named, os.fstat(fd))
    return False
