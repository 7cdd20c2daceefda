"""Zstandard: the standard library's since Python 3.14, its backport before."""

import sys

if sys.version_info >= (3, 14):  # pragma: no cover
    from compression.zstd import ZstdDecompressor, ZstdError, ZstdFile, compress, decompress
else:
    from backports.zstd import ZstdDecompressor, ZstdError, ZstdFile, compress, decompress

__all__ = ["ZstdDecompressor", "ZstdError", "ZstdFile", "compress", "decompress"]
