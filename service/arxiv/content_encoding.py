"""Content encodings of arXiv's answers (RFC 9110 §8.4): gzip is asked for, others are read too.

A cache in front of arXiv may send what nobody asked for, and a gzip body may have
several members (RFC 1952 §2.2). Nothing is unpacked beyond the cap: what a bomb
would have become is never held.
"""

import zlib
from typing import Protocol

from service.arxiv.http_errors import foreign_errors_as_ours
from service.domain import zstd
from service.domain.errors import UpstreamFaulty

CUT_SHORT = "arXiv's answer was cut short"
_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


class _Decompressor(Protocol):
    """What zlib's and zstd's have in common."""

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decoded(packed: bytes, encoding: str, cap: int) -> bytes:
    """`packed` without its content encoding; at most `cap` bytes.

    Raises UpstreamFaulty if it is broken, cut short, longer, or of an unknown encoding.
    """
    match encoding.strip().lower():
        case "identity" | "":
            return packed
        case "gzip" | "x-gzip":
            return _members(packed, cap, gzip=True)
        case "deflate":  # zlib's format by the standard, and the bare stream by custom
            is_zlib = packed[:1] and packed[0] & 0x0F == 8 and packed[0] >> 4 <= 7
            return _one(zlib.decompressobj(_ZLIB if is_zlib else _RAW), packed, cap)[0]
        case "zstd":
            return _members(packed, cap, gzip=False)
        case _:
            raise UpstreamFaulty("arXiv's answer is packed in a way that is not known")


def _members(packed: bytes, cap: int, *, gzip: bool) -> bytes:
    """The members, or frames, one behind the other; zeros behind the last are padding."""
    body, rest = b"", packed
    while True:
        made: _Decompressor = zlib.decompressobj(_GZIP) if gzip else zstd.ZstdDecompressor()
        part, rest = _one(made, rest, cap - len(body))
        body += part
        if not rest.strip(b"\0"):
            return body


def _one(decompressor: _Decompressor, packed: bytes, cap: int) -> tuple[bytes, bytes]:
    """What one member holds, and what comes behind it."""
    try:
        with foreign_errors_as_ours():
            body = decompressor.decompress(packed, cap + 1)
    except zstd.ZstdError:
        raise UpstreamFaulty("arXiv's answer is not encoded as it says") from None
    if len(body) > cap:
        raise UpstreamFaulty(f"arXiv's answer is longer than {cap} bytes")
    if not decompressor.eof:
        raise UpstreamFaulty(CUT_SHORT)
    return body, decompressor.unused_data
