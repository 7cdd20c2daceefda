"""Local copies of remotely stored PDFs, for as long as they are read.

A copy lies among the partial files, under a name that no download looks for and
with the same lock: one whose reader died is swept away like any abandoned part.
All of this blocks.
"""

import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from service.files.folder import Root
from service.files.partial_file import Part, create, lock
from service.files.paths import PARTS, new_part

STEM = "copy"  # no arXiv id
MAX_KEPT = 64  # uploads whose text is still to be read; more than a worker has in hand


@dataclass(frozen=True, slots=True)
class Copy:
    """A local file under our lock; `fd` may be written to until it `is_filled`."""

    path: Path
    fd: int
    is_filled: bool


class Copies:
    """Copies below `root`; of those just uploaded, at most 64 are kept for their reader."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._kept: OrderedDict[str, str] = OrderedDict()  # SHA-256 to name

    def keep(self, part: Part, sha256: str) -> None:
        """Turn an uploaded part into a copy that the next reader of this content finds."""
        folder = self._root.open_for_writing(PARTS)
        try:
            name = new_part(STEM)
            part.move_to(folder, name)
            self._drop(folder, self._kept.pop(sha256, None))
            self._kept[sha256] = name
            while len(self._kept) > MAX_KEPT:
                self._drop(folder, self._kept.popitem(last=False)[1])
        finally:
            os.close(folder)

    def open(self, sha256: str) -> Copy:
        """The copy kept for this content, or a new, empty one; raises OSError.

        It is the caller's alone until `close`.
        """
        folder = self._root.open_for_writing(PARTS)
        try:
            found = self._taken(folder, self._kept.pop(sha256, None))
            name, fd = found or create(folder, STEM)
            return Copy(self._root.path / PARTS / name, fd, found is not None)
        finally:
            os.close(folder)

    def close(self, copy: Copy) -> None:
        """Remove the copy."""
        os.close(copy.fd)
        with suppress(OSError):  # the disk may be gone; a sweep finds what is left
            copy.path.unlink()

    def _taken(self, folder: int, name: str | None) -> tuple[str, int] | None:
        fd = None if name is None else lock(folder, name)
        return None if name is None or fd is None else (name, fd)

    def _drop(self, folder: int, name: str | None) -> None:
        if name is not None:
            with suppress(OSError):  # a sweep may have been faster
                os.unlink(name, dir_fd=folder)
