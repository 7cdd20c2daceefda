r"""Text of documents as CommonMark: escaped, so that it reads as it is, formulas left in.

Formulas keep their dollar signs. CommonMark knows no formulas, so that it would see tags,
emphasis, code and links in TeX: there `<`, `>` and `*` become `\lt`, `\gt` and `\ast`, blanks
that TeX skips part `_` and `](` from what follows, and a grave accent is a quotation mark.
"""

import re
from collections.abc import Collection

from service.extraction.document import Source
from service.extraction.inline_math import segments

_SPECIAL = re.compile(
    r"""(\\(?!\$)        # a backslash, unless it already escapes a dollar sign
    |[`*<>~]
    |\[(?=\^)|\](?=[(\[:])  # what only looks like a note, a link or a definition
    |(?<![^\W_])_|_(?![^\W_])  # within a word an underscore means nothing
    |&(?=\#?\w{1,31};)   # only where an entity would follow
    )""",
    re.VERBOSE,
)
_LINE_START = re.compile(r"^(?:(\d{1,9})([.)])(?=\s|$)|([#+=-]))")
_NOTE_MARK = re.compile(r"\[\^(\w{1,12})\]")
_IN_FORMULA = str.maketrans({"<": r"\lt ", ">": r"\gt ", "`": "‘"})
_STAR = re.compile(  # one that is no part of a command's or an environment's name
    r"(\\(?:begin|end)\{[A-Za-z]+\*\}|\\(?:operatorname|[hv]space|tag|\\)\*)|\*"
)
_OPENING_UNDERSCORE = re.compile(r"(?<![\w\\])_(?=\S)")  # one that may begin emphasis
_SPACE = re.compile(r"\s+")
_BARE_DOLLAR = re.compile(r"(?<!\\)\$")


def inline(text: str, source: Source, notes: Collection[str] = ()) -> str:
    """`text` on one line; `notes` are the labels whose marks `[^…]` are footnotes."""
    line = _SPACE.sub(" ", text).strip()
    if source == "pdf":
        return _marked(line.replace("\\", "\\\\").replace("$", r"\$"), notes, backslashes=False)
    return "".join(
        math(piece) if is_math else _marked(_BARE_DOLLAR.sub(r"\\$", piece), notes)
        for is_math, piece in segments(line)
    )


def block(text: str, source: Source, notes: Collection[str] = ()) -> str:
    """A paragraph on one line, whose start is no heading, list or rule."""
    return _LINE_START.sub(_escape_start, inline(text, source, notes))


def math(formula: str) -> str:
    """A formula with its dollar signs, the same to TeX and without markup to CommonMark."""
    edge = 2 if formula.startswith("$$") else 1
    plain = formula[edge:-edge].translate(_IN_FORMULA).replace("](", "] (")
    if "*" in plain:
        plain = _STAR.sub(lambda star: star.group(1) or r"\ast ", plain)
    if plain.endswith("\\"):
        plain += " "  # or it would seem to escape the dollar sign
    dollars = formula[:edge]
    return f"{dollars}{_OPENING_UNDERSCORE.sub('_ ', plain)}{dollars}"


def code(text: str) -> str:
    """A fenced block, with a fence longer than any within."""
    runs = (len(run) for run in re.findall(r"`+", text))
    fence = "`" * max(3, max(runs, default=0) + 1)
    return f"{fence}\n{text}\n{fence}"


def _escape_start(match: re.Match[str]) -> str:
    if match.group(3):
        return f"\\{match.group(3)}"
    return f"{match.group(1)}\\{match.group(2)}"


def _marked(piece: str, notes: Collection[str], *, backslashes: bool = True) -> str:
    """A piece without formulas, escaped but for the marks of footnotes."""
    parts: list[str] = []
    end = 0
    for mark in _NOTE_MARK.finditer(piece):
        if mark.group(1) in notes:
            parts += [_escaped(piece[end : mark.start()], backslashes), mark.group()]
            end = mark.end()
    return "".join([*parts, _escaped(piece[end:], backslashes)])


def _escaped(piece: str, backslashes: bool) -> str:
    return _SPECIAL.sub(
        lambda m: m.group() if m.group() == "\\" and not backslashes else f"\\{m.group()}", piece
    )
