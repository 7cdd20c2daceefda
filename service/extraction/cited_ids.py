"""DOIs and arXiv ids that an item of a list of references names, in its links or its text."""

import re
from collections.abc import Iterable
from urllib.parse import unquote

_MONTH = r"\d\d(?:0[1-9]|1[0-2])"
_NEW_ID = rf"{_MONTH}\.\d{{4,5}}"
_OLD_ID = (
    r"(?:acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg"
    r"|comp-gas|cond-mat|cs|dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math"
    r"|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int"
    r"|supr-con)(?:\.[A-Za-z]{2})?/"
    rf"{_MONTH}\d{{3}}"
)
_ID = rf"({_NEW_ID}|{_OLD_ID})(?:v\d{{1,2}})?(?![\d/])"
_ARXIV_LINK = re.compile(rf"arxiv\.org/(?:abs|pdf|html|e-print|ps)/{_ID}", re.IGNORECASE)
_ARXIV_TEXT = (
    re.compile(rf"arxiv\s*[:.]?\s*(?:e-?prints?\s*:?\s*)?(?:abs/)?{_ID}", re.IGNORECASE),
    re.compile(rf"\babs/{_ID}", re.IGNORECASE),
    re.compile(rf"\b10\.48550/arxiv\.{_ID}", re.IGNORECASE),
    re.compile(rf"(?<![\w/.]){_ID.replace(_NEW_ID + '|', '')}"),
    re.compile(rf"\[{_ID}(?:\s*\[[\w.-]+\])?\]"),
    re.compile(rf"External Links:(?: \S+,)*? {_ID}"),  # LaTeXML's words for an entry's eprint
    re.compile(rf"arxiv\b.{{0,40}}?(?<![\w.]){_ID}", re.IGNORECASE),
)
_DOI = re.compile(r"10\.\d{4,9}/[^\s\x00-\x1f\x7f-\x9f\"<>{}|\\^`]+", re.IGNORECASE)
_ARXIV_DOI = re.compile(r"^10\.48550/arxiv\.", re.IGNORECASE)
_MAX_TEXT = 5_000  # characters of an item that are searched; a real item has some hundred
_MAX_LINKS = 50


def arxiv_id_in(text: str, links: Iterable[str] = ()) -> str | None:
    """The first arXiv id, without version: in the links (any host is arXiv's), else in `text`."""
    for link in list(links)[:_MAX_LINKS]:
        found = _ARXIV_LINK.search(link[:500]) or _ARXIV_TEXT[2].search(unquote(link[:500]))
        if found:
            return _normal(found.group(1))
    shown = text[:_MAX_TEXT]
    matches = (pattern.search(shown) for pattern in _ARXIV_TEXT)
    first = next((match for match in matches if match), None)
    return None if first is None else _normal(first.group(1))


def doi_in(text: str, links: Iterable[str] = ()) -> str | None:
    """The first DOI in lower case, links first; arXiv's own DOIs are arXiv ids and none."""
    shown = [unquote(link[:500]) for link in list(links)[:_MAX_LINKS] if "10." in link]
    for candidate in (*shown, text[:_MAX_TEXT]):
        for match in _DOI.finditer(candidate):
            doi = _without_tail(match.group())
            if not _ARXIV_DOI.match(doi):
                return doi.lower()
    return None


def _normal(arxiv_id: str) -> str:
    """Old ids are kept without their subject class: `math.GT/0309136` is `math/0309136`."""
    archive, slash, number = arxiv_id.lower().partition("/")
    return f"{archive.split('.')[0]}/{number}" if slash else archive


def _without_tail(doi: str) -> str:
    """A DOI without the punctuation of the sentence behind it."""
    doi = doi.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0] if doi.count("(") == 0 else doi
    while doi and (doi[-1] in ".,;:'’”\"*" or _closes_nothing(doi)):
        doi = doi[:-1]
    return doi


def _closes_nothing(doi: str) -> bool:
    pairs = {")": "(", "]": "["}
    return doi[-1] in pairs and doi.count(doi[-1]) > doi.count(pairs[doi[-1]])
