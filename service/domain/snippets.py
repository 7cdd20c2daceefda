"""Snippets: the place of a text that shows best what a search found, with its hits marked.

Which words are hits is PostgreSQL's to say (it stems them); here are found those
that may be, in the text as it stands, accents and all.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

MAX_LENGTH = 300  # characters of a snippet, marks and ellipses included
HIT_START, HIT_END = "\ue000", "\ue001"  # Unicode's private use: no text of ours has them
MAX_HITS = 400  # in one text; the first ones are looked at
MAX_LEXEMES = 32

_LEAD = 60  # characters before the first hit
_MARKS = re.compile(f"[{HIT_START}{HIT_END}]")
# Letters that are folded and do not decompose, as in search_letters() of the schema.
_SPECIAL = {"o": "øØ", "l": "łŁ", "d": "đĐ", "h": "ħĦ", "i": "ı", "j": "ȷ"}
_DIGRAPHS = {"ss": "ß", "ae": "æÆ", "oe": "œŒ"}
_ACCENT = "[\u0300-\u036f]*"
_GREEK = {
    unicodedata.name(letter).rsplit(" ", 1)[1].lower().replace("lamda", "lambda"): letter
    for letter in "αβγδεζηθικλμνξοπρστυφχψω"
}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text that may be a hit: `text[start:end]`."""

    start: int
    end: int
    word: str


@cache
def _variants(letter: str) -> str:
    """A class of all letters that fold to this one."""
    accented = (
        chr(code)
        for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
        if unicodedata.normalize("NFKD", chr(code))[0].lower() == letter
    )
    return f"[{letter}{''.join(accented)}{_SPECIAL.get(letter, '')}]{_ACCENT}"


def pattern_of(lexemes: Collection[str]) -> re.Pattern[str] | None:
    """Finds words that begin as one of the stems does; None without stems."""
    beginnings = "|".join(_beginning(one) for one in sorted(lexemes, key=len)[:MAX_LEXEMES])
    if not beginnings:
        return None
    return re.compile(rf"(?<![^\W_])(?:{beginnings})[^\W_]*", re.IGNORECASE)


def _beginning(lexeme: str) -> str:
    if lexeme.endswith("i") and len(lexeme) > 2:
        return f"{_letters(lexeme[:-1])}[iy{_variants('i')[1:]}"
    for name, letter in _GREEK.items():
        if lexeme.startswith(name):
            return f"(?:{name}|[{letter}{letter.upper()}]){_letters(lexeme[len(name) :])}"
    return _letters(lexeme)


def _letters(lexeme: str) -> str:
    pieces = re.findall("ss|ae|oe|.", lexeme, re.DOTALL)
    return "".join(
        f"(?:{one}|[{_DIGRAPHS[one]}])"
        if one in _DIGRAPHS
        else _variants(one)
        if one.isascii() and one.isalpha()
        else re.escape(one)
        for one in pieces
    )


def possible_hits(text: str, pattern: re.Pattern[str] | None) -> Sequence[Word]:
    """The first words of `text` that may be hits, in their order."""
    found: list[Word] = []
    if pattern is None:
        return found
    for match in pattern.finditer(text):
        found.append(Word(match.start(), match.end(), match[0]))
        if len(found) == MAX_HITS:
            break
    return found


@dataclass(frozen=True, slots=True)
class Passage:
    """A place of a text, and how well it shows the search: `terms` of the query are in it."""

    text: str
    hits: Sequence[Word]
    terms: int

    def render(self) -> str:
        """At most 300 characters on one line, each hit between U+E000 and U+E001."""
        start = max(0, self.hits[0].start - _LEAD) if self.hits else 0
        start = _word_start(self.text, start)
        pieces = list(self._pieces(start))
        room = MAX_LENGTH - 2  # for both ellipses
        shown: list[str] = []
        for piece in pieces:
            line = _one_line(piece)
            is_hit = piece.startswith(HIT_START)
            if len(line) > room:
                shown.append("" if is_hit else _cut(line, room))
                break
            shown.append(line)
            room -= len(line)
        body = "".join(shown).strip()
        is_whole = len(shown) == len(pieces) and body.endswith(_one_line(pieces[-1]).strip())
        return ("…" if start else "") + body + ("" if is_whole else "…")

    def _pieces(self, start: int) -> Iterator[str]:
        """The text from `start`, cut at its hits, which have their marks."""
        at, limit = start, start + 4 * MAX_LENGTH
        for hit in self.hits:
            if hit.end > limit:
                break
            yield self.text[at : hit.start]
            yield f"{HIT_START}{_MARKS.sub('', hit.word)}{HIT_END}"
            at = hit.end
        yield self.text[at:limit]


def best_passage(text: str, hits: Sequence[Word], terms: Mapping[str, Collection[str]]) -> Passage:
    """The passage with most different terms, those close together; the beginning without hits.

    `terms` are those of the query that each word stands for; other words are no hits.
    """
    hits = [hit for hit in hits if terms.get(hit.word)]
    best, best_score = 0, (0, 0)
    for first, hit in enumerate(hits):
        score = _score(hits[first:], hit.start + MAX_LENGTH - _LEAD, terms)
        if score > best_score:
            best, best_score = first, score
    return Passage(text, hits[best:], best_score[0])


def _score(
    hits: Sequence[Word], limit: int, terms: Mapping[str, Collection[str]]
) -> tuple[int, int]:
    """(different terms before `limit`, how close the first and the last new one are)."""
    seen: set[str] = set()
    last = hits[0].start
    for hit in hits:
        if hit.end > limit:
            break
        if not seen.issuperset(terms[hit.word]):
            seen.update(terms[hit.word])
            last = hit.start
    return len(seen), hits[0].start - last


def _word_start(text: str, start: int) -> int:
    """The place behind the blank before `start`, if there is one near."""
    if start == 0:
        return 0
    found = re.compile(r"\s").search(text, start, start + _LEAD // 2)
    return found.end() if found else start


def _one_line(text: str) -> str:
    if text.startswith(HIT_START):
        return re.sub(r"\s+", " ", text)
    return re.sub(r"[\s\x00-\x1f]+", " ", _MARKS.sub(" ", text))


def _cut(text: str, room: int) -> str:
    """At most `room` characters, whole words where they can be had."""
    cut = text[: max(0, room)]
    return cut.rsplit(" ", 1)[0] if " " in cut else cut
