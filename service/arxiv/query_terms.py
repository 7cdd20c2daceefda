"""Query terms: one field and its value, quoted for arXiv's query language.

A missing operator means OR to arXiv, and an underscore is read as a blank in the
first term only (arxiv-search, classic_api). So whatever is more than one plain
word is quoted, an underscore becomes the blank that it stands for, and nothing
that a caller writes into a field can end the phrase that it stands in.
"""

import re

from service.domain.categories import UnknownCategory, canonical, is_archive
from service.domain.errors import UpstreamRejected
from service.domain.papers import single_spaced

# `title` is arXiv's other name of `ti`.
FIELDS = ("ti", "au", "abs", "co", "doi", "jr", "cat", "rn", "id", "all", "title")

_ENDS_A_PHRASE = str.maketrans({'"': " ", "\\": " ", "_": " "})
_BARE_WORD = re.compile(r"[^\W_](?:[^\W_]|[.-])*")
_BEGINNING_OF_A_WORD = re.compile(r"[^\W_](?:[^\W_]|[.-])*\*")
_OPERATORS = frozenset({"AND", "OR", "ANDNOT", "NOT", "TO"})
_WITH_BARE_NAME = frozenset({"astro-ph", "cond-mat", "q-bio"})  # archives that once were categories
_RANGE = re.compile(r"(?P<field>\w+):\[\s*(?P<first>\d+)\s+TO\s+(?P<last>\d+)\s*\]", re.ASCII)
_DATE_LENGTHS = frozenset({4, 6, 8, 12})  # YYYY, YYYYMM, YYYYMMDD, YYYYMMDDHHMM


def term(field: str, text: str) -> str:
    """`field:word` or `field:"a phrase"`; raises UpstreamRejected without a letter or digit.

    Left out, such a term would widen the search behind the caller's back.
    """
    phrase = single_spaced(text.translate(_ENDS_A_PHRASE))
    if not is_searchable(phrase):
        raise UpstreamRejected("The search has a field without a letter or digit")
    name = "ti" if field == "title" else field
    if _BARE_WORD.fullmatch(phrase) and phrase not in _OPERATORS:
        return f"{name}:{phrase}"
    return f'{name}:"{phrase}"'


def category_term(name: str) -> str:
    """A category, or an archive as all of it; a name that arXiv has not is looked for as it is."""
    try:
        meant = canonical(name)
    except UnknownCategory:
        return term("cat", name)
    if not is_archive(meant):
        return f"cat:{meant}"
    return f"(cat:{meant} OR cat:{meant}.*)" if meant in _WITH_BARE_NAME else f"cat:{meant}.*"


def word_term(field: str, word: str) -> str:
    """A word of a caller's own query, in which `*` stands for any ending.

    Raises UpstreamRejected for a `*` anywhere else: arXiv answers that with HTTP 500.
    """
    if field == "cat":
        return category_term(word)
    if "*" not in word:
        return term(field, word)
    parts = [part for part in word.translate(_ENDS_A_PHRASE).split() if part]
    if not parts or not all(_BEGINNING_OF_A_WORD.fullmatch(part) for part in parts if "*" in part):
        raise UpstreamRejected("A * in a search may only end a word")
    name = "ti" if field == "title" else field
    terms = [f"{name}:{part}" if "*" in part else term(field, part) for part in parts]
    return terms[0] if len(terms) == 1 else f"({' AND '.join(terms)})"


def range_term(text: str) -> str:
    """A range of dates as arXiv can read it; raises UpstreamRejected for one that it cannot.

    arXiv reads `lastUpdatedDate` as `submittedDate`: updates cannot be selected by date.
    """
    found = _RANGE.fullmatch(text)
    if found is None or not {len(found["first"]), len(found["last"])} <= _DATE_LENGTHS:
        raise UpstreamRejected("A range of dates is written [YYYYMMDD TO YYYYMMDD]")
    return f"{found['field']}:[{found['first']} TO {found['last']}]"


def is_searchable(text: str) -> bool:
    """True when arXiv finds something to look for in `text`."""
    return any(character.isalnum() for character in text)
