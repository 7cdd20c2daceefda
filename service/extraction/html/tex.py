"""TeX source of LaTeXML's formulas: `alttext` cleaned for use between dollar signs."""

import re

from lxml.etree import _Element

from service.extraction.html.characters import one_line

_BROKEN_LINE = re.compile(r"(?<!\\)%\s*\n")  # LaTeXML ≤ 0.8.4 wraps long TeX so
_STYLE = re.compile(r"^(?:\\(?:displaystyle|textstyle)(?![A-Za-z])\s*)+")
_TEX_ANNOTATION = "application/x-tex"


def tex_of(math: _Element) -> str | None:
    """The TeX of a `math` element on one line; "" for an empty formula, None if it has no TeX."""
    source = math.get("alttext")
    if source is None:
        source = _annotation(math)
    return None if source is None else clean_tex(source)


def clean_tex(source: str) -> str:
    """TeX on one line, without the display style that alignments put first in each cell."""
    joined = _BROKEN_LINE.sub("", source)
    return _STYLE.sub("", one_line(joined))


def _annotation(math: _Element) -> str | None:
    found = (part for part in math.iter("annotation") if part.get("encoding") == _TEX_ANNOTATION)
    first = next(found, None)
    return None if first is None else first.text or ""
