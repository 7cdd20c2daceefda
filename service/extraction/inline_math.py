r"""TeX within text: how formulas stand in the paragraphs of documents made from HTML.

A formula stands between bare dollar signs (`$x^2$`, a display between two of them), a
literal dollar sign is `\$`, and within a formula no bare dollar sign occurs.
"""

import re
from collections.abc import Iterator

_FORMULA = re.compile(r"\\\$|(\$\$(?:\\.|[^$\\])+\$\$|\$(?:\\.|[^$\\])+\$)", re.DOTALL)
_DOLLAR = re.compile(r"(\\.)|\$", re.DOTALL)


def segments(text: str) -> Iterator[tuple[bool, str]]:
    """`text` in pieces: (is it a formula with its dollar signs?, piece)."""
    end = 0
    for match in _FORMULA.finditer(text):
        if match.group(1) is None:
            continue
        if match.start() > end:
            yield False, text[end : match.start()]
        yield True, match.group()
        end = match.end()
    if end < len(text):
        yield False, text[end:]


def without_math(text: str) -> str:
    """`text` with a blank in the place of each formula."""
    if "$" not in text:
        return text
    return "".join(" " if is_math else piece for is_math, piece in segments(text))


def between_dollars(tex: str) -> str:
    r"""TeX in which no bare dollar sign is left: `\text{if $x$}` becomes `\text{if \(x\)}`."""
    if tex.endswith("\\"):
        tex += " "  # or it would escape the dollar sign behind it
    bare = sum(not match.group(1) for match in _DOLLAR.finditer(tex))
    if bare % 2:
        return _DOLLAR.sub(lambda match: match.group(1) or r"\$", tex)
    opening = [r"\)", r"\("]

    def replaced(match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(1)
        opening.reverse()
        return opening[0]

    return _DOLLAR.sub(replaced, tex)
