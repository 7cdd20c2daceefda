"""Numbers of headings: `3.2 Title`, `II. TITLE`, `Appendix A: Title` → number and title.

A number is kept bare, as printed (`3.2`, `II`, `A.1`). `parts` counts it, so that headings can
be checked to follow each other: roman numbers and letters become integers.
"""

import re
from dataclasses import dataclass

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_WORD = r"(?:(?P<word>(?i:appendix|section|chapter|part|annex|supplement))\s+)?"
_NUMBER = (
    r"(?P<number>\d{1,2}(?:\.\d{1,3}){0,4}"
    r"|[IVXL]{1,6}(?:[.-]\d{1,2}){0,3}"
    r"|[A-Z][.-]?\d{1,2}(?:\.\d{1,2}){0,3}|[A-Z])"
)
_LABEL = re.compile(rf"\s*(?:§+\s*)?{_WORD}{_NUMBER}(?P<end>[.:)]?)(?:[\s–—:-]+(?=\S)|$)")


@dataclass(frozen=True, slots=True)
class Number:
    """`label` is bare; `kind` is how its first part counts; `parts` are its parts as integers.

    `is_marked` says that something besides the number itself tells that it is one: a
    dot behind or within it, or a word before it.
    """

    label: str
    kind: str  # "arabic" | "roman" | "letter"
    parts: tuple[int, ...]
    is_marked: bool

    @property
    def level(self) -> int:
        """How deep it counts: 1 for `3`, 2 for `3.2`."""
        return len(self.parts)


def split_number(text: str) -> tuple[tuple[Number, ...], str]:
    """What the number at the beginning of a heading may be, and the title behind it.

    Empty when there is none. Two readings for a letter that is a roman number as well
    (`C`, `I`). "A lemma" and "I think" have readings too, but no marked ones: whether they
    are meant shows in the headings around them.
    """
    match = _LABEL.match(text)
    if match is None:
        return (), text.strip()
    title = text[match.end() :].strip()
    return tuple(_readings(match)), title


def _readings(match: re.Match[str]) -> list[Number]:
    label = match["number"]
    pieces = re.split(r"[.-]", label)
    head = re.match(r"([A-Z])(\d+)$", pieces[0])
    if head:  # "A1" counts like "A.1"
        pieces = [head[1], head[2], *pieces[1:]]
    is_marked = bool(match["end"] or match["word"] or len(pieces) > 1)
    rest = tuple(int(piece) for piece in pieces[1:])
    found = []
    if pieces[0].isdigit():
        found.append(Number(label, "arabic", (int(pieces[0]), *rest), is_marked))
    elif roman := _roman(pieces[0]):
        found.append(Number(label, "roman", (roman, *rest), is_marked))
    if len(pieces[0]) == 1 and pieces[0].isalpha():
        found.append(Number(label, "letter", (ord(pieces[0]) - 64, *rest), is_marked))
    return found


def _roman(text: str) -> int:
    """The value of a roman number up to 89, 0 for what is none."""
    if not text or any(letter not in _ROMAN for letter in text):
        return 0
    values = [_ROMAN[letter] for letter in text]
    total = sum(-v if v < max(values[i:]) else v for i, v in enumerate(values))
    return total if to_roman(total) == text else 0


def to_roman(number: int) -> str:
    """1 → "I"; the empty text beyond 89."""
    if not 0 < number < 90:
        return ""
    text = ""
    for value, letters in (
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ):
        while number >= value:
            text, number = text + letters, number - value
    return text
