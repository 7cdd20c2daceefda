"""Partial files: names, locks and expiry.

A partial file is called `<id with version>~<random>~<ETag>.part`. The ETag (in
base64, so that it may hold anything) tells what the bytes are the beginning of;
being part of the name, it cannot be out of step with the file. Whoever writes
holds an exclusive `flock` on the file, which the kernel drops when the process
dies, however it dies: a part without a lock has no living writer, and may be
taken over by the next download of the same version or swept away. All of this
blocks.
"""

import errno
import fcntl
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from contextlib import suppress

from service.files.folder import FILE_MODE, open_file

FOLDER = ".partial"
MAX_ETAG_BYTES = 120  # 160 in base64: with the longest id a name stays below 255 bytes
CLAIM_ATTEMPTS = 5  # a new part is lost only to a sweep in the same microsecond

_PART = re.compile(r"(?P<stem>[\w.-]+)~[0-9a-f]{16}~(?P<etag>[\w=-]*)\.part", re.ASCII)
_PROBE = re.compile(r"~[0-9a-f]{16}\.probe", re.ASCII)


def new_name(stem: str, etag: str | None = None) -> str:
    """A name that no part has yet."""
    return f"{stem}~{secrets.token_hex(8)}~{_encoded(etag)}.part"


def renamed(name: str, etag: str | None) -> str:
    """`name` with another ETag in it."""
    stem, token, _ = name.split("~")
    return f"{stem}~{token}~{_encoded(etag)}.part"


def probe_name() -> str:
    """A name for the file that tries out whether the storage can be written."""
    return f"~{secrets.token_hex(8)}.probe"


def etag_of(name: str) -> str | None:
    """The ETag that a part's name records; None when it records none."""
    found = _PART.fullmatch(name)
    if found is None or not found["etag"]:
        return None
    try:
        return urlsafe_b64decode(found["etag"]).decode()
    except (Base64Error, UnicodeDecodeError):
        return None


def create(folder: int, stem: str) -> tuple[str, int]:
    """A new, empty part of ours: its name and a locked descriptor."""
    for _ in range(CLAIM_ATTEMPTS):
        name = new_name(stem)
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
        found = _PART.fullmatch(name)
        if found is None or found["stem"] != stem:
            continue
        fd = lock(folder, name)
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
    return sum(_removed(folder, name, before) for name in os.listdir(folder) if _is_ours(name))


def _is_ours(name: str) -> bool:
    return _PART.fullmatch(name) is not None or _PROBE.fullmatch(name) is not None


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


def _encoded(etag: str | None) -> str:
    """The ETag for a name; nothing for one that is too long to be kept."""
    raw = (etag or "").encode(errors="replace")
    return urlsafe_b64encode(raw).decode() if len(raw) <= MAX_ETAG_BYTES else ""
