"""Case 113: what arXiv's answers may be packed in, and what is refused."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.content_encoding import decoded
from service.domain import zstd
from service.domain.errors import UpstreamFaulty

CAP = 100_000
BODY = b"<feed>" + b"a paper " * 1000 + b"</feed>"
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
DEFLATED = RAW.compress(BODY) + RAW.flush()
PACKED = {
    "one member": ("gzip", gzip.compress(BODY)),
    "two members": ("gzip", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
    "padded": ("gzip", gzip.compress(BODY) + b"\0" * 512),
    "x-gzip": ("X-GZIP ", gzip.compress(BODY)),
    "zlib": ("deflate", zlib.compress(BODY)),
    "bare deflate": ("deflate", DEFLATED),
    "zstd": ("zstd", zstd.compress(BODY)),
    "two frames": ("zstd", zstd.compress(BODY[:9]) + zstd.compress(BODY[9:])),
    "nothing": ("identity", BODY),
    "unsaid": ("", BODY),
}


@pytest.mark.parametrize("case", PACKED)
def test_case_113_it_is_read(case):
    encoding, packed = PACKED[case]

    assert decoded(packed, encoding, CAP) == BODY


@pytest.mark.parametrize("case", [name for name in PACKED if name not in ("nothing", "unsaid")])
def test_case_113_what_is_cut_is_refused(case):
    encoding, packed = PACKED[case]

    with pytest.raises(UpstreamFaulty):
        decoded(packed.rstrip(b"\0")[:-12], encoding, CAP)


@pytest.mark.parametrize("case", [name for name in PACKED if name not in ("nothing", "unsaid")])
def test_case_113_nothing_is_unpacked_beyond_the_cap(case):
    encoding, packed = PACKED[case]

    assert decoded(packed, encoding, len(BODY)) == BODY
    with pytest.raises(UpstreamFaulty, match="longer"):
        decoded(packed, encoding, len(BODY) - 1)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "compress", "nonsense"])
def test_case_113_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(UpstreamFaulty, match="not known"):
        decoded(gzip.compress(BODY), encoding, CAP)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_case_113_any_bytes_are_read_or_refused(packed, encoding):
    with suppress(UpstreamFaulty):
        decoded(packed, encoding, CAP)
