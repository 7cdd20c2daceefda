"""Hyphens at line ends: part of the word, or only of its break.

The paper's own vocabulary decides: how it spells the word where it does not
break it. Where it never does, general signs do: digits, capitals, archive names and
addresses keep the hyphen, and so do two words that make no word together.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from service.extraction.lexicon import english_words, is_common

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHENS = ("-", "\u00ad")
_MARKS = ".,;:!?()[]{}<>/*†‡’‘“”'\"0123456789^"
_HEAD = re.compile(r"[^\W\d_]+$")  # the letters before the hyphen
_TAIL = re.compile(r"[^\W\d_]+")  # the letters behind it
_ADDRESS = re.compile(r"://|www\.|\w@\w+[.-]|^10\.\d{4}", re.IGNORECASE)
_COMPOUND = re.compile(r"[^\W\d_]-")


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ARCHIVES = _set_of(
    """
    acc-phys adap-org alg-geom ao-sci astro-ph atom-ph bayes-an chao-dyn chem-ph cmp-lg comp-gas
    cond-mat dg-ga funct-an gr-qc hep-ex hep-lat hep-ph hep-th math-ph mtrl-th nucl-ex nucl-th
    patt-sol plasm-ph q-alg q-bio q-fin quant-ph solv-int supr-con
    """
)
_CLOSED_PREFIXES = _set_of(
    """
    auto bi co counter de dis electro geo hydro hyper hypo infra inter intra iso macro magneto
    meta micro mini mis mono neuro out over para photo poly pre re spectro sub super thermo
    trans tri ultra un under uni
    """
)
_SUFFIXES = _set_of(  # words of their own, and more often ends of others
    """
    able ably age aged ages ally ant ants ate ated ates ding est ion ions ism ist ists ity ing
    king less ling ment ments ming ness ping ring rings sing sion ted ten ters ting tings tion
    tor tors ties ally fully ring tive tory ular ward wards wise
    """
)
_FREE_PREFIXES = _set_of("anti co multi non post pre pseudo quasi self semi")  # as the author likes
_ENDINGS = ("s", "es", "d", "ed", "ing", "ly", "er", "ers", "al")
_MIN_TAIL = 3  # letters that TeX leaves behind a break in English


class Vocabulary:
    """How often a paper spells a word, closed and with hyphens, where it does not break it."""

    def __init__(self) -> None:
        self._tokens: Counter[str] = Counter()
        self._words: Counter[str] = Counter()
        self._joints: Counter[tuple[str, str]] = Counter()
        self._prefixed: dict[str, int] = {}

    def read(self, lines: Iterable[str]) -> None:
        """Count the words of some lines; those broken at a line's end do not count."""
        whole, is_broken = [], False
        for line in lines:
            text = line.partition(" ")[2] if is_broken else line
            is_broken = line.endswith(_HYPHENS)
            whole.append(text.rpartition(" ")[0] if is_broken else text)
        self._tokens.update(" ".join(whole).lower().split())

    def _count(self) -> None:
        """Sort out what has been read: once for each different token."""
        for token, count in self._tokens.items():
            word = token.strip(_MARKS)
            if word.isalpha():
                self._words[word] += count
            elif word:
                self._count_parts(word, count)
        self._tokens.clear()

    def _count_parts(self, token: str, count: int) -> None:
        for word in _WORD.findall(token):
            self._words[word] += count
            for head, tail in pairwise(word.split("-")):
                for pair in ((head, tail), (head, ""), ("", tail)):
                    self._joints[pair] += count

    def closed(self, word: str) -> int:
        """How often the paper has this word."""
        if self._tokens:
            self._count()
        return self._words[word]

    def joint(self, head: str, tail: str) -> int:
        """How often the paper has these two with a hyphen between, also inside a longer word.

        An empty `tail` or `head` stands for any.
        """
        if self._tokens:
            self._count()
        return self._joints[head, tail]

    def with_prefix(self, prefix: str) -> int:
        """How often the paper has a word of the language with this prefix, closed."""
        if prefix not in self._prefixed:
            self._prefixed[prefix] = sum(
                count
                for word, count in self._words.items()
                if word.startswith(prefix) and is_common(word[len(prefix) :])
            )
        return self._prefixed[prefix]

    def has(self, word: str) -> bool:
        """True for a word of the language or of this paper."""
        return is_common(word) or self._words[word] > 1


def keeps_hyphen(before: str, after: str, vocabulary: Vocabulary) -> bool:
    """Whether the word that is broken between `before` and `after` is spelt with a hyphen.

    `before` ends where the hyphen stood, `after` begins with the next line.
    """
    head, tail = _HEAD.search(before), _TAIL.match(after)
    if not head or not tail:  # a digit or a sign on one side
        return True
    first, second = before.rsplit(maxsplit=1)[-1], after.split(maxsplit=1)[0]
    if _ADDRESS.search(first) or f"{head[0]}-{tail[0]}".lower() in _ARCHIVES:
        return True
    attested = _as_attested(head[0].lower(), tail[0].lower(), vocabulary)
    if attested is not None:
        return attested
    is_compound = _COMPOUND.search(first) or _COMPOUND.match(second[tail.end() - 1 :])
    if is_compound and (head[0] + tail[0]).lower() not in english_words():
        return True  # TeX breaks a word that has a hyphen nowhere else
    by_case = _by_case(head[0], tail[0])
    if by_case is not None:
        return by_case
    return _by_words(head[0].lower(), tail[0].lower(), vocabulary)


def _as_attested(head: str, tail: str, vocabulary: Vocabulary) -> bool | None:
    """As the paper spells the word elsewhere, or another form of it; None: nowhere."""
    closed, joint = vocabulary.closed(head + tail), vocabulary.joint(head, tail)
    if closed == joint == 0:
        for ending in _ENDINGS:
            stem = tail.removesuffix(ending)
            for other in {stem, tail + ending} - {tail, ""}:
                closed += vocabulary.closed(head + other)
                joint += vocabulary.joint(head, other)
    if closed == joint:
        return None if closed == 0 else head + tail not in english_words()
    return joint > closed


def _by_case(head: str, tail: str) -> bool | None:
    """What capitals tell: `BERT-base`, `Navier-Stokes`, but `REPRE-SENTATION`."""
    closed = (head + tail).lower()
    if head.isupper() and tail.isupper() and len(head) > 1:
        return closed not in english_words() and len(head) + len(tail) < 2 * _MIN_TAIL + 4
    if tail[0].isupper() or not head[1:].islower():
        return True
    return None


def _by_words(head: str, tail: str, vocabulary: Vocabulary) -> bool:
    """What the parts tell: two words that make no word together have their hyphen."""
    closed = head + tail
    if head in _FREE_PREFIXES and vocabulary.has(tail):
        open_ones, closed_ones = vocabulary.joint(head, ""), vocabulary.with_prefix(head)
        if open_ones != closed_ones:
            return open_ones > closed_ones
    if closed in english_words() or any(
        closed.removesuffix(ending) in english_words() for ending in _ENDINGS
    ):
        return False
    if len(tail) < _MIN_TAIL:
        return vocabulary.has(head)
    if head in _CLOSED_PREFIXES or tail in _SUFFIXES:
        return False
    if not vocabulary.has(tail):
        return False
    return vocabulary.has(head) or vocabulary.joint(head, "") > 0
