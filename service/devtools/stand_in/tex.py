r"""Texts as arXiv's database keeps them: accents as TeX macros, lines folded.

`arXivRaw`, `arXivOld` and the metadata file show them like this; the formats
`arXiv` and `oai_dc` show letters instead. What is TeX already (`$…$`, `\%`)
is the same in all of them.
"""

import unicodedata
from functools import cache

_WIDTH = 78  # columns of arXiv's own folding
# combining mark → TeX accent; letters as macros need braces around what they stand over
_MARKS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u0327": "c",
    "\u030c": "v",
    "\u030b": "H",
}
_LETTERS = {"ß": r"{\ss}", "ø": r"{\o}", "Ø": r"{\O}", "ł": r"{\l}", "æ": r"{\ae}", "å": r"{\aa}"}


def to_tex(text: str) -> str:
    r"""`text` with every accented letter as a macro: `Müller` → `M\"uller`, `ï` → `\"{\i}`."""
    return text if text.isascii() else text.translate(_macros())


@cache
def _macros() -> dict[int, str]:
    """What stands for each letter of the Latin blocks that has a macro."""
    letters = map(chr, range(0xA0, 0x180))
    return {ord(letter): macro for letter in letters if (macro := _macro(letter)) != letter}


def _macro(letter: str) -> str:
    if letter in _LETTERS:
        return _LETTERS[letter]
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if len(marks) != 1 or marks[0] not in _MARKS:
        return letter
    accent = _MARKS[marks[0]]
    if base in "ij":
        base = rf"{{\{base}}}"
    elif accent.isalpha():
        base = f"{{{base}}}"
    return rf"\{accent}{base}"


def folded(text: str) -> str:
    """A title or comment over several lines: those after the first begin with two blanks."""
    return "\n  ".join(_lines(text))


def abstract(text: str) -> str:
    """An abstract: begins with two blanks, lines folded, a line end behind the last."""
    return "  " + "\n".join(_lines(text)) + "\n"


def _lines(text: str) -> list[str]:
    """`text` in lines of up to _WIDTH columns, cut at blanks only; textwrap is too slow here."""
    if len(text) <= _WIDTH:
        return [text]
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= _WIDTH and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
