"""Printed labels as bare numbers: "Appendix A " is `A`, "Figure 3: " is `3`, "(12)" is `12`."""

import re

from service.extraction.document import CaptionKind

_WORD = re.compile(
    r"^(?:chapter|section|part|appendix|annex|figure|fig|table|tab|algorithm|alg|listing|scheme"
    r"|equation|eq|§)(?![A-Za-z])[.\s]*",
    re.IGNORECASE,
)
_EDGES = " .:,;()[]{}–—-"
_KIND_BY_WORD: tuple[tuple[str, CaptionKind], ...] = (
    ("fig", "figure"),
    ("tab", "table"),
    ("alg", "algorithm"),
)


def bare_number(label: str | None) -> str | None:
    """The number in a printed label, None if nothing is left of it."""
    if not label:
        return None
    return _WORD.sub("", label.strip(_EDGES)).strip(_EDGES) or None


def bare_key(label: str | None) -> str | None:
    """The label of an item of the list of references, without brackets and points at its ends."""
    key = (label or "").strip(" .:,;[]{}")
    if key.startswith("(") and key.endswith(")"):
        key = key[1:-1]
    return key or None


def caption_kind(label: str | None, float_classes: frozenset[str]) -> CaptionKind:
    """What a caption is about: as its float says, for floats of any kind as its label says."""
    if "ltx_table" in float_classes:
        return "table"
    if float_classes & {"ltx_float_algorithm", "ltx_algorithm"}:
        return "algorithm"
    start = (label or "").strip().lower()
    by_word = (kind for word, kind in _KIND_BY_WORD if start.startswith(word))
    return next(by_word, "figure" if "ltx_figure" in float_classes else "other")
