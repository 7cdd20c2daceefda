"""Storage root and folders in it, opened one step at a time without following links.

Every step is opened relative to the folder above and refuses a symbolic link,
so a link that somebody places below the root leads nowhere. The root itself may
be one: where it lies is the operator's choice. A marker file tells the root
from the empty mount point that is left when a volume has gone away. All of this
blocks; callers run it in a thread.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from service.domain.errors import StorageUnavailable

MARKER = ".arxiv-pdf-store"
FOLDER_MODE = 0o750
FILE_MODE = 0o640  # the umask may take more away; nothing gives the world access
LEVELS = 2  # of folders below the root, at most
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_SAFE_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file may not grow that far",
    errno.EROFS: "it is read-only",
    errno.EACCES: "access is denied",
    errno.EPERM: "access is denied",
    errno.ENOENT: "the folder is missing",
    errno.ENOTDIR: "there is no folder where one should be",
    errno.ELOOP: "there is a symbolic link where none may be",
    errno.EIO: "the disk reports an error",
}


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn any OSError of the block into `StorageUnavailable`, in words that show no path."""
    try:
        yield
    except OSError as err:
        words = _SAFE_WORDS.get(err.errno or 0, "an unexpected system error")
        raise StorageUnavailable(f"The PDF storage cannot be used: {words}") from err


class Root:
    """The folder that holds all PDFs.

    The first write through this object leaves the marker; from then on a root
    without it is another folder than before, and raises `StorageUnavailable` until the
    right one is back.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_known = False

    def create(self) -> None:
        """Make the folder, its parents and the marker, as far as they are missing."""
        for folder in (*reversed(self.path.parents), self.path):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        os.close(self.open_for_writing())

    def open(self, *names: str) -> int:
        """A descriptor of the root, or of the folder `names` lead to, for reading."""
        root = os.open(self.path, _FOLDER)
        return self._descend(root, names, create=False)

    def open_for_writing(self, *names: str) -> int:
        """The same, with missing folders made on the way (mode 0750) and made durable."""
        root = os.open(self.path, _FOLDER)
        return self._descend(root, names, create=True)

    def files(self, after: str) -> Generator[tuple[str, float]]:
        """Path and time of change (epoch) of the plain files behind the path `after` ("": of all).

        In the order of the names, folder by folder. Links, what begins with a dot,
        and folders that we may not enter are passed by. To be closed after use.
        """
        yield from _files(self.open(), "", after.split("/"))

    def _descend(self, fd: int, names: tuple[str, ...], *, create: bool) -> int:
        try:
            self._recognise(fd, adopt=create)
            for name in names:
                below = _step(fd, name, create=create)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _recognise(self, fd: int, *, adopt: bool) -> None:
        """Refuse a root that has lost its marker; `adopt`: mark it when first met."""
        try:
            os.stat(MARKER, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            if self._is_known:
                raise StorageUnavailable("The PDF storage is another folder than before") from None
            if not adopt:
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(MARKER, flags, FILE_MODE, dir_fd=fd))
        self._is_known = True


def _step(fd: int, name: str, *, create: bool) -> int:
    """A descriptor of folder `name` in folder `fd`; a symbolic link raises OSError."""
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another task or replica was faster
        os.mkdir(name, FOLDER_MODE, dir_fd=fd)
        os.fsync(fd)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)


def _files(folder: int, above: str, after: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The files of the open `folder`, which is closed at the end, and below; see `Root.files`."""
    try:
        for name in sorted(os.listdir(folder)):
            if name.startswith(".") or name < after[0]:
                continue
            behind = after[1:] if name == after[0] else [""]
            with suppress(FileNotFoundError, PermissionError):
                entry = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(entry.st_mode) and behind:
                    yield above + name, entry.st_mtime
                elif stat.S_ISDIR(entry.st_mode) and behind and above.count("/") < LEVELS:
                    yield from _files(_step(folder, name, create=False), f"{above}{name}/", behind)
    finally:
        os.close(folder)


def open_file(folder: int, name: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the regular file `name`; any other kind of thing raises OSError (ELOOP)."""
    # O_NONBLOCK: opening a named pipe would wait for its other end
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(name, flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, "not a regular file")
    return fd


def remove_file(folder: int, name: str, *, before: float) -> bool:
    """Remove the regular file `name`, unless it changed at `before` (epoch) or later."""
    with suppress(FileNotFoundError):
        entry = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(entry.st_mode) and entry.st_mtime < before:
            os.unlink(name, dir_fd=folder)
            return True
    return False


def require_replaceable(folder: int, name: str) -> None:
    """Raise OSError (ELOOP) when `name` exists and is no regular file."""
    with suppress(FileNotFoundError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.ELOOP, "not a regular file")
