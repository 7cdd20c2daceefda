"""English words, to tell words from parts of words.

The list is pyspellchecker's (128,000 words in lower case, with counts from film
subtitles and books); only its data file is read, and only when the first
paper needs it, which takes about 40 ms and 16 MB for the life of the process.
"""

import gzip
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_ENTRY = re.compile(rb'"([a-z]+)": ?(\d+)')
_COMMON = 51  # the least count of a word that is seen more than rarely; rare ones have 50


@cache
def english_words() -> frozenset[str]:
    """All words of the list."""
    return frozenset(word for word, _ in _entries())


@cache
def common_words() -> frozenset[str]:
    """Those that are not rare: no `mani`, no `ther`."""
    return frozenset(word for word, count in _entries() if count >= _COMMON)


@cache
def _entries() -> list[tuple[str, int]]:
    spec = find_spec("spellchecker")
    assert spec is not None
    assert spec.origin is not None
    packed = Path(spec.origin).parent / "resources" / "en.json.gz"
    found = _ENTRY.findall(gzip.decompress(packed.read_bytes()))
    return [(word.decode(), int(count)) for word, count in found]
