r"""Texts as arXiv's database keeps them: accents as TeX macros, lines folded.

`arXivRaw`, `arXivOld` and the metadata file show them like this; the formats
`arXiv` and `oai_dc` show letters instead. What is TeX already (`$…$`, `\%`)
is the same in all of them.
"""

import textwrap
import unicodedata

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
    return text if text.isascii() else "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter.isascii():
        return letter
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
    return "\n  ".join(_lines(text, _WIDTH))


def abstract(text: str) -> str:
    """An abstract: begins with two blanks, lines folded, a line end behind the last."""
    return "\n".join(_lines(f"  {text}", _WIDTH + 1)) + "\n"


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
