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

_WORD = re.compile(r'"([a-z]+)":')
_LINE = 64  # characters, more than a line has
_RARE = ": 50,"  # the list's least count, of words hardly ever seen


@cache
def english_words() -> frozenset[str]:
    """All words of the list."""
    return frozenset(_WORD.findall(_list()))


def is_common(word: str) -> bool:
    """True for words that are not rare: no `mani`, no `andez`. Takes some microseconds."""
    return word in english_words() and not _count_of(word).startswith(_RARE)


def _count_of(word: str) -> str:
    """What stands behind the word, by bisection: the list is in alphabetical order."""
    text, key = _list(), f'"{word}"'
    low, high = 0, len(text)
    while high - low > _LINE:
        middle = text.find("\n", (low + high) // 2, high)
        if middle < 0 or text[middle + 1 : middle + 1 + len(key)] > key:
            high = (low + high) // 2
        else:
            low = middle
    at = text.find(key, low, high + 2 * _LINE)
    return text[at + len(key) : at + len(key) + len(_RARE)]


@cache
def _list() -> str:
    spec = find_spec("spellchecker")
    assert spec is not None
    assert spec.origin is not None
    packed = Path(spec.origin).parent / "resources" / "en.json.gz"
    return gzip.decompress(packed.read_bytes()).decode()
