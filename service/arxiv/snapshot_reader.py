"""The snapshot file as batches of records, each with the place behind it to go on from.

A place counts unpacked bytes and lines. A plain file goes on there at once; a
packed one is unpacked again up to it, without looking at the lines. A file that
has another size or modification time than the checkpoint says is refused, as is
one that changes while it is read. Blocking: every step belongs in a thread, and
takes about as long as one batch.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from service.arxiv.snapshot import MAX_LINE_BYTES, BadLine, SnapshotRecord, record_in
from service.arxiv.snapshot_blocks import (
    SnapshotTruncated,
    SnapshotUnreadable,
    blocks,
    check_plain,
    is_packed,
)
from service.domain.errors import PermanentError

SKIPPED_AT_ONCE = 64 * 1024 * 1024  # bytes passed over between two empty batches

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SnapshotNotFound(PermanentError):
    """There is no such file in the snapshot directory, or the name leads out of it."""

    code = "snapshot_not_found"


class SnapshotChanged(PermanentError):
    """The file is not the one that the job began to read."""

    code = "snapshot_changed"


@dataclass(frozen=True, slots=True)
class FileMark:
    """What tells one state of a file from another: size in bytes, modification time in ns."""

    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch ends: unpacked bytes and lines before it."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some lines read: records and bad ones, in their order, and the place behind them.

    `bytes_read` is how much of the file itself, packed or not, has been read. A
    batch without lines only says that a packed file is being unpacked to its place.
    """

    records: tuple[SnapshotRecord, ...]
    bad: tuple[BadLine, ...]
    place: Place
    bytes_read: int


@dataclass(frozen=True, slots=True)
class _Line:
    """One line without its end, how many bytes it takes with it, and whether it has one."""

    text: bytes
    length: int
    is_whole: bool = True


def find(directory: Path, name: str) -> Path:
    """The file `name` in `directory`; raises SnapshotNotFound for a path or a link out of it."""
    if not name or name in (".", "..") or "\0" in name or Path(name).name != name:
        raise SnapshotNotFound("A snapshot is named by the name of its file alone")
    try:
        path, home = (directory / name).resolve(strict=True), directory.resolve(strict=True)
    except (OSError, RuntimeError) as err:  # RuntimeError: links in a circle
        raise SnapshotNotFound("There is no such file in the snapshot directory") from err
    if not path.is_relative_to(home) or not path.is_file():
        raise SnapshotNotFound("There is no such file in the snapshot directory")
    return path


class SnapshotReader:
    """One pass over a snapshot file from `place` on; a context manager that closes the file.

    `expected` is the mark of the checkpoint, None for a first pass. Opening raises
    SnapshotNotFound, SnapshotChanged and SnapshotUnreadable.
    """

    def __init__(
        self, path: Path, *, place: Place | None = None, expected: FileMark | None = None
    ) -> None:
        self._place = place or Place()
        self._file = _open(path)
        try:
            self.mark = self._current()
            if expected is not None and expected != self.mark:
                raise SnapshotChanged("The snapshot file has changed since the job began")
            self.is_packed = is_packed(self._file)
            if not self.is_packed:
                check_plain(self._file)
                self._file.seek(self._place.offset)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no more batches can be read."""
        self._file.close()

    def batches(self, size: int) -> Iterator[Batch]:
        """Batches of `size` lines (the last may be shorter); while skipping, some without lines.

        Raises SnapshotTruncated, SnapshotUnreadable and SnapshotChanged after the
        last batch that is good.
        """
        records: list[SnapshotRecord] = []
        bad: list[BadLine] = []
        try:
            for line in self._lines():
                if line is None:
                    yield self._batch(records, bad)
                    continue
                read = self._read(line)
                if isinstance(read, SnapshotRecord):
                    records.append(read)
                elif read is not None:
                    bad.append(read)
                if len(records) + len(bad) >= size:
                    self._check_unchanged()
                    yield self._batch(records, bad)
                    records, bad = [], []
        except (SnapshotTruncated, SnapshotUnreadable):
            if records or bad:
                yield self._batch(records, bad)
            raise
        self._check_unchanged()
        if records or bad:
            yield self._batch(records, bad)

    def _read(self, line: "_Line") -> SnapshotRecord | BadLine | None:
        """What one line holds, None if it is blank; moves the place behind it."""
        number = self._place.line + 1
        text = line.text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line.text
        read = record_in(text, number) if text.strip() else None
        if isinstance(read, BadLine) and not line.is_whole:
            raise SnapshotTruncated("the snapshot ends in the middle of a line")
        self._place = Place(self._place.offset + line.length, number)
        return read

    def _lines(self) -> Iterator["_Line | None"]:
        """The lines from the place on; None now and then while unpacking to it."""
        to_skip, passed = (self._place.offset if self.is_packed else 0), 0
        rest, dropped = b"", 0
        for block in blocks(self._file):
            if to_skip >= len(block):
                to_skip, passed = to_skip - len(block), passed + len(block)
                if passed >= SKIPPED_AT_ONCE:
                    passed = 0
                    yield None
                continue
            *lines, rest = (rest + block[to_skip:]).split(b"\n")
            to_skip = 0
            for text in lines:
                yield _Line(text, len(text) + dropped + 1)
                dropped = 0
            if len(rest) > MAX_LINE_BYTES:  # of a line that is too long only the length counts
                dropped += len(rest) - MAX_LINE_BYTES - 1
                rest = rest[: MAX_LINE_BYTES + 1]
        if to_skip:
            raise SnapshotTruncated("the snapshot ends before the place to go on from")
        if rest:
            yield _Line(rest, len(rest) + dropped, is_whole=False)

    def _batch(self, records: list[SnapshotRecord], bad: list[BadLine]) -> Batch:
        return Batch(
            records=tuple(records),
            bad=tuple(bad),
            place=self._place,
            bytes_read=self._file.tell() if self.is_packed else self._place.offset,
        )

    def _check_unchanged(self) -> None:
        if self._current() != self.mark:
            raise SnapshotChanged("The snapshot file changes while it is read")

    def _current(self) -> FileMark:
        state = os.fstat(self._file.fileno())
        return FileMark(state.st_size, state.st_mtime_ns)


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except FileNotFoundError as err:
        raise SnapshotNotFound("There is no such file in the snapshot directory") from err
    except OSError as err:
        raise SnapshotUnreadable("The snapshot file cannot be opened") from err
