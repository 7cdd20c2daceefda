"""The bytes of a snapshot file, unpacked in blocks: plain, gzip, zstd or the one file in a zip.

Which it is tells the content, not the name. Memory is bounded whatever is in the
file: input and output are blocks. A file that ends before its data does is
truncated, one whose data do not fit its checksum unreadable; either way every
block before is given out first. Blocking: meant for a thread.
"""

import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from service.domain.errors import PermanentError
from service.domain.zstd import ZstdDecompressor, ZstdError

BLOCK_BYTES = 1024 * 1024  # of unpacked data given out at once
_READ_BYTES = 128 * 1024  # read from a packed file at once

_GZIP, _ZSTD, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_WINDOW, _RAW_WINDOW = 31, -15  # zlib's wbits: with a gzip header, without any
_STORED, _DEFLATED, _ZIP_ZSTD = 0, 8, 93
_LOCAL_HEADER = struct.Struct("<4s2xHH8xI4xHH")
_ENCRYPTED, _SIZE_FOLLOWS = 1 << 0, 1 << 3
_MAX_CLUTTER = 16  # folders and the like in front of the one file
_BROKEN = (zlib.error, ZstdError, EOFError, zipfile.BadZipFile, NotImplementedError)


class SnapshotUnreadable(PermanentError):
    """The file is no snapshot, or damaged, or the system does not let us read it."""

    code = "snapshot_unreadable"


class SnapshotTruncated(PermanentError):
    """The file ends before its data do."""

    code = "snapshot_truncated"


class _Decompressor(Protocol):
    """The way of the standard library's decompressors with bounded output."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """zlib's decompressor in the manner of the others."""

    def __init__(self, window: int) -> None:
        self._zlib = zlib.decompressobj(window)
        self._is_drained = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return self._is_drained

    def decompress(self, data: bytes, max_length: int) -> bytes:
        block = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._is_drained = not self._zlib.unconsumed_tail and len(block) < max_length
        return block


def is_packed(file: BinaryIO) -> bool:
    """True when `file`, which is at its start and stays there, has to be unpacked."""
    return _magic(file).startswith((_GZIP, _ZSTD, _ZIP))


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """The unpacked bytes of `file` from its start, at most BLOCK_BYTES at once, none empty.

    A plain file must be placed where to go on by the caller. Raises
    SnapshotTruncated and SnapshotUnreadable, after all that could be read.
    """
    try:
        yield from _blocks(file)
    except _BROKEN as err:
        raise SnapshotUnreadable("the snapshot's data are damaged") from err
    except OSError as err:
        raise SnapshotUnreadable("the snapshot cannot be read") from err


def check_plain(file: BinaryIO) -> None:
    """Raise SnapshotUnreadable unless a plain `file`, at its start, begins like JSON lines."""
    start = _magic(file).removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not start.startswith(b"{"):
        raise SnapshotUnreadable("the snapshot is neither JSON lines nor gzip, zstd or zip")


def _magic(file: BinaryIO) -> bytes:
    start = file.read(64)
    file.seek(0)
    return start


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    magic = b"" if file.tell() else _magic(file)
    if magic.startswith(_GZIP):
        yield from _streams(file, lambda: _Zlib(_GZIP_WINDOW))
    elif magic.startswith(_ZSTD):
        yield from _streams(file, ZstdDecompressor)
    elif magic.startswith((_ZIP, _EMPTY_ZIP)):
        yield from _zipped(file)
    else:
        while block := file.read(BLOCK_BYTES):
            yield block


def _streams(
    file: BinaryIO, begin: Callable[[], _Decompressor], *, is_single: bool = False
) -> Iterator[bytes]:
    """All packed streams that follow one another in `file`, unpacked; zeros behind them go."""
    unpacker, data = begin(), b""
    while True:
        if unpacker.eof:
            data = unpacker.unused_data or file.read(_READ_BYTES)
            if is_single or not data.strip(b"\0"):
                return
            unpacker = begin()
        elif unpacker.needs_input:
            data = file.read(_READ_BYTES)
            if not data:
                raise SnapshotTruncated("the snapshot ends in the middle of its data")
        block = unpacker.decompress(data, BLOCK_BYTES)
        data = b""
        if block:
            yield block


@dataclass(frozen=True, slots=True)
class _Member:
    """The file in a zip; without the archive's directory, its size and checksum are unknown."""

    offset: int = 0
    size: int | None = None
    checksum: int | None = None


def _zipped(file: BinaryIO) -> Iterator[bytes]:
    member = _member(file)
    found = 0
    for block in _unzipped(file, member):
        found = zlib.crc32(block, found)
        yield block
    if member.checksum is None:
        raise SnapshotTruncated("the snapshot's archive has lost its end")
    if found != member.checksum:
        raise zipfile.BadZipFile("another checksum")


def _member(file: BinaryIO) -> _Member:
    """Where the one file of the archive lies; what a cut archive begins with is taken for it."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [one for one in archive.infolist() if not _is_clutter(one.filename)]
    except zipfile.BadZipFile:
        return _Member(_first_in_cut(file))
    if len(names) != 1:
        raise SnapshotUnreadable("the snapshot's archive does not hold exactly one file")
    (one,) = names
    return _Member(one.header_offset, one.file_size, one.CRC)


def _is_clutter(name: str) -> bool:
    return name.endswith("/") or name.startswith("__MACOSX/")


@dataclass(frozen=True, slots=True)
class _LocalHeader:
    """What stands in front of a member's data (APPNOTE 4.3.7)."""

    flags: int
    method: int
    packed_size: int
    name: str

    @classmethod
    def read(cls, file: BinaryIO, offset: int) -> "_LocalHeader":
        """The header at `offset`; `file` is left at the data behind it."""
        file.seek(offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_ZIP):
            raise SnapshotTruncated("the snapshot ends in the middle of its data")
        _, flags, method, packed_size, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        name = file.read(name_length).decode("utf-8", "replace")
        file.seek(extra_length, 1)
        return cls(flags, method, packed_size, name)


def _first_in_cut(file: BinaryIO) -> int:
    """Where the first member that is no clutter begins in an archive without its directory."""
    offset = 0
    for _ in range(_MAX_CLUTTER):
        header = _LocalHeader.read(file, offset)
        if not _is_clutter(header.name) or header.flags & _SIZE_FOLLOWS:
            break
        offset = file.tell() + header.packed_size
    return offset


def _unzipped(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    """The member's data."""
    header = _LocalHeader.read(file, member.offset)
    method = header.method
    if header.flags & _ENCRYPTED or method not in (_STORED, _DEFLATED, _ZIP_ZSTD):
        raise SnapshotUnreadable("the snapshot's archive is packed in a way that we do not read")
    if method == _DEFLATED:
        yield from _streams(file, lambda: _Zlib(_RAW_WINDOW), is_single=True)
    elif method == _ZIP_ZSTD:
        yield from _streams(file, ZstdDecompressor, is_single=True)
    else:
        yield from _stored(file, member.size)


def _stored(file: BinaryIO, size: int | None) -> Iterator[bytes]:
    """Data that are not packed: `size` bytes, or all that is left."""
    left = sys.maxsize if size is None else size
    while left and (block := file.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        yield block
    if left and size is not None:
        raise SnapshotTruncated("the snapshot ends in the middle of its data")
