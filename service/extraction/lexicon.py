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

_WORD = re.compile(r'"([a-z]+)": ?')
_RARE = re.compile(r'"([a-z]+)": ?50\b')  # the list's least count, of words hardly ever seen


@cache
def english_words() -> frozenset[str]:
    """All words of the list."""
    return frozenset(_WORD.findall(_list()))


@cache
def common_words() -> frozenset[str]:
    """Those that are not rare: no `mani`, no `andez`."""
    return english_words() - frozenset(_RARE.findall(_list()))


def _list() -> str:
    spec = find_spec("spellchecker")
    assert spec is not None
    assert spec.origin is not None
    packed = Path(spec.origin).parent / "resources" / "en.json.gz"
    return gzip.decompress(packed.read_bytes()).decode()
