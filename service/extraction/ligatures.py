"""Ligatures that a PDF hides behind private characters, found by the words they stand in.

Programs that save a PDF anew (cairo) number the glyphs whose characters they do not
know. Such a number inside words is one of five ligatures, if that makes words.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.extraction.layout import Line, PageLayout
from service.extraction.lexicon import english_words

_LIGATURES = ("fi", "ff", "fl", "ffi", "ffl")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_WORD = re.compile("[a-z]*[\ue000-\uf8ff][a-z]+|[a-z]+[\ue000-\uf8ff][a-z]*", re.IGNORECASE)
_MIN_SHARE = 0.5  # of the different words that a ligature must make

_Key = tuple[str, str]  # a font's name and the private character


def resolve_ligatures(pages: Sequence[PageLayout]) -> list[PageLayout]:
    """The same pages, private characters replaced where the words tell what they are."""
    touched = [page for page in pages if page.unknown_characters]
    if not touched:
        return list(pages)
    words: dict[_Key, set[str]] = defaultdict(set)
    for page in touched:
        for line in page.lines:
            for font, piece in _pieces(line):
                for word in _WORD.findall(piece):
                    for private in _PRIVATE.findall(word):
                        words[font, private].add(word.lower())
    meant = {key: best for key, seen in words.items() if (best := _best(key[1], seen))}
    return [_resolved(page, meant) if page.unknown_characters else page for page in pages]


def _pieces(line: Line) -> list[tuple[str, str]]:
    if line.text.isprintable() or not _PRIVATE.search(line.text):
        return []  # no private character is printable
    return [(span.font.name, piece) for span, piece in zip(line.spans, line.pieces, strict=True)]


def _best(private: str, words: set[str]) -> str | None:
    """The ligature that makes most of the words English; None when none makes enough."""
    others = [word for word in words if len(_PRIVATE.findall(word)) == 1]
    scores = {
        ligature: sum(word.replace(private, ligature) in english_words() for word in others)
        for ligature in _LIGATURES
    }
    best = max(scores, key=lambda ligature: scores[ligature])
    return best if scores[best] and scores[best] >= _MIN_SHARE * len(others) else None


def _resolved(page: PageLayout, meant: Mapping[_Key, str]) -> PageLayout:
    lines, resolved = list(page.lines), 0
    for at, line in enumerate(page.lines):
        if line.text.isprintable():
            continue
        pieces = tuple(
            "".join(meant.get((font, character), character) for character in piece)
            for font, piece in _pieces(line)
        )
        if pieces and pieces != line.pieces:
            text = "".join(pieces)
            resolved += len(_PRIVATE.findall(line.text)) - len(_PRIVATE.findall(text))
            lines[at] = line._replace(text=text, cuts=pieces)
    unknown = page.unknown_characters - resolved
    return replace(page, lines=tuple(lines), unknown_characters=unknown)
