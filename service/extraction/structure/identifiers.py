r"""arXiv ids and DOIs in a text or a URI, as references name them.

arXiv ids of both schemes (info.arxiv.org/help/arxiv_identifier.html), with a
prefix (`arXiv:1706.03762`, `abs/…`), in brackets (`[hep-th/9901001]`) or bare
where they cannot be anything else; always without version, and without the subject class
that old ids may have (`math.GT/0309136` is `math/0309136`). DOIs as the DOI
handbook has them (`10.` registrant `/` anything), in lower case, cut where the
sentence around them begins. `10.48550/arXiv.X` is an arXiv id and no DOI.
"""

import re
from collections.abc import Iterable
from itertools import islice
from urllib.parse import unquote

_MONTH = r"\d\d(?:0[1-9]|1[0-2])"
_NEW = r"(?:0[7-9]|[1-9]\d)(?:0[1-9]|1[0-2])\.\d{4,5}"
_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|"
    "cond-mat|cs|dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math|mtrl-th|nlin|"
    "nucl-ex|nucl-th|patt-sol|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|supr-con"
)  # arxiv.org/archive, those of 1991-2007
_OLD = rf"(?:{_ARCHIVES})(?:\.[A-Z]{{2}})?/{_MONTH}\d{{3}}"
_CONTROL = r"\x00-\x1f\x7f-\x9f"
_VERSION = r"(?:v[1-9]\d{0,3})?"
_END = r"(?![\w/]|\.\d)"
_ARXIV_OLD = re.compile(rf"(?<![\w.-])({_OLD}){_VERSION}{_END}", re.IGNORECASE)
_ARXIV_NEW = re.compile(
    r"(?:arxiv(?:\.org)?(?:\s?(?:e-?|pre)prints?)?\s{0,3}[:,.]?\s{0,3}"
    r"(?:/?\s?(?:abs|pdf|html|e-print|ps)\s?/\s?)?"
    r"|\babs/\s?|10\.48550/arxiv\.|\beprint\s?:?\s?"
    rf"|(?<=[\[(]))({_NEW}){_VERSION}(?!\w|\.\d)",
    re.IGNORECASE,
)
_DOI = re.compile(r"(?<![\w.])10\.\d{4,9}(?:\.\d+)*/[^\s\"<>{}|\\^`“”‘’" + _CONTROL + "]+")
_DOI_URI = re.compile(
    r"(?:doi\.org/|dx\.doi\.org/|^doi:\s*|^)(10\.\d{4,9}(?:\.\d+)*/[^" + _CONTROL + "]+)", re.I
)
_ARXIV_DOI = "10.48550/arxiv."
_LOOSE = re.compile(
    rf"(?:arxiv\b.{{0,40}}?|External Links:(?: \S+,)*? )(?<![\w.])({_NEW}){_VERSION}(?!\w|\.\d)",
    re.IGNORECASE,
)  # in an item of a list, where no stricter pattern holds; the latter are LaTeXML's words
_MAX_LINKS = 50  # of one item
_MAX_URI = 500
_CLOSING = {")": "(", "]": "[", "}": "{"}
_MAX_TEXT = 20_000  # of one item; what is longer is no item, and its rest is not searched


def arxiv_ids(text: str) -> tuple[str, ...]:
    """The arXiv ids in `text` without versions, in order, each once."""
    text = text[:_MAX_TEXT]
    found = [(match.start(), match[1]) for match in _ARXIV_NEW.finditer(text)]
    if "/" in text:
        found += [(match.start(), _old_style(match[1])) for match in _ARXIV_OLD.finditer(text)]
    return _unique(arxiv_id for _, arxiv_id in sorted(found))


def dois(text: str) -> tuple[str, ...]:
    """The DOIs in `text` in lower case, in order, each once; not those of arXiv itself."""
    if "10." not in text:
        return ()
    found = (_trimmed(match[0]).lower() for match in _DOI.finditer(text[:_MAX_TEXT]))
    return _unique(doi for doi in found if not doi.startswith(_ARXIV_DOI))


def ids_of_uri(uri: str) -> tuple[str | None, str | None]:
    """The DOI and the arXiv id that a link leads to; None for each that it does not."""
    uri = unquote(uri.strip())
    match = _DOI_URI.search(uri)
    doi = _trimmed(match[1].split("?")[0].split("#")[0]).lower() if match else None
    if doi and doi.startswith(_ARXIV_DOI):
        doi = None
    is_arxiv = "arxiv" in uri.lower() or "xxx.lanl.gov" in uri.lower()
    return doi, next(iter(arxiv_ids(uri)), None) if is_arxiv else None


def arxiv_id_in(text: str, links: Iterable[str] = ()) -> str | None:
    """The arXiv id that an item of a list of references names: in its links, else in `text`."""
    of_links = (ids_of_uri(link[:_MAX_URI])[1] for link in islice(links, _MAX_LINKS))
    found = next((arxiv_id for arxiv_id in of_links if arxiv_id), None)
    found = found or next(iter(arxiv_ids(text)), None)
    if found is None and (match := _LOOSE.search(text[:_MAX_TEXT])):
        found = match[1]
    return found


def doi_in(text: str, links: Iterable[str] = ()) -> str | None:
    """The DOI that an item of a list of references names: in its links, else in `text`."""
    for link in islice(links, _MAX_LINKS):
        doi = ids_of_uri(link[:_MAX_URI])[0]
        of_any_host = dois(unquote(link[:_MAX_URI]).split("?")[0].split("#")[0])
        if doi or of_any_host:
            return doi or of_any_host[0]
    return next(iter(dois(text)), None)


def _old_style(arxiv_id: str) -> str:
    """Archive in lower case, without subject class: as ids are stored and shown."""
    archive, number = arxiv_id.split("/")
    return f"{archive.partition('.')[0].lower()}/{number}"


def _trimmed(doi: str) -> str:
    """Without the punctuation of the sentence around it, and brackets that it did not open."""
    while doi:
        last = doi[-1]
        if last in ".,;:'\"*" or (last in _CLOSING and doi.count(last) > doi.count(_CLOSING[last])):
            doi = doi[:-1]
        else:
            break
    return doi


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
