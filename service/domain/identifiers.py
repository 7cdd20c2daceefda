"""arXiv identifiers as a value: which paper, and which version of it.

Two schemes are in use (info.arxiv.org/help/arxiv_identifier.html):
`2301.00001` (YYMM.number; four digits before 2015, five since) and, until March
2007, `hep-th/9901001` (archive/YYMMNNN). Both may end in a version, `v3`. Old ids
were also written with a subject class, `math.GT/0309136`; that is no part of the
id, and dropped. Everything that names a paper goes through here first, so that
no other text ever reaches a URL or a path.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

_MONTH = r"\d\d(?:0[1-9]|1[0-2])"
_NEW = rf"{_MONTH}\.\d{{4,5}}"
_OLD = rf"(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[A-Z]{{2}})?/(?P<number>{_MONTH}\d{{3}})"
_ARXIV_ID = re.compile(rf"(?:(?P<new>{_NEW})|{_OLD})(?:v(?P<version>[1-9]\d{{0,3}}))?", re.ASCII)

MAX_LENGTH = 40  # "astro-ph.CO/9901001v9999" has 24; anything longer is no id
MAX_PASTED_LENGTH = 200  # a URL with a long query string has some 100

_HOSTS = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})
_DOI_HOSTS = frozenset({"doi.org", "www.doi.org", "dx.doi.org"})
_URL = re.compile(
    r"(?P<scheme>(?:https?:)?//)|(?:[a-z0-9-]+\.)+[a-z]{2,}/(?:(?:abs|pdf|html)/|10\.)",
    re.IGNORECASE,
)
_DOI = re.compile(r"(?:doi:\s*)?10\.48550/arxiv\.", re.IGNORECASE)
_PREFIX = re.compile(r"arxiv:\s*", re.IGNORECASE)
_VERSION = re.compile(r"V(?=\d+$)")
_SUBJECT_CLASS = re.compile(r"\.[A-Za-z]{2}(?=/)")
_PAGES = re.compile(r"/(?:abs|pdf|html)/(.+)", re.DOTALL)
_NAMED_LENGTH = 60  # characters of a refused text that the error names


@dataclass(frozen=True, slots=True, order=True)
class ArxivId:
    """One paper, `paper` without its version; `version` is None for "the latest"."""

    paper: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id of either scheme; raises ValueError for anything else, blanks included."""
        match = _ARXIV_ID.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise ValueError("not an arXiv id")
        version = match["version"]
        paper = match["new"] or f"{match['archive']}/{match['number']}"
        return cls(paper, int(version) if version else None)

    @classmethod
    def pasted(cls, text: str) -> Self:
        """Read an id as people paste it; raises ValueError naming what is none.

        Besides the id itself: `arXiv:…`, the DOI `10.48550/arXiv.…`, `V2` for `v2`,
        and URLs of arXiv's and doi.org's pages, whose query, fragment and `.pdf` are
        dropped. White space around it does not matter.
        """
        given = text.strip()
        if len(given) > MAX_PASTED_LENGTH:
            raise ValueError("not an arXiv id: too long")
        url = _URL.match(given)
        written = _in_url(given, has_scheme=url["scheme"] is not None) if url else given
        for prefix in (_DOI, _PREFIX):
            written = prefix.sub("", written, count=1) if prefix.match(written) else written
        try:
            return cls.parse(_SUBJECT_CLASS.sub("", _VERSION.sub("v", written)))
        except ValueError:
            raise ValueError(f"not an arXiv id: {_named(given)}") from None

    @property
    def canonical(self) -> Self:
        """The id as arXiv names it in answers: `math/0309136` for `math.GT/0309136`."""
        return type(self)(_SUBJECT_CLASS.sub("", self.paper), self.version)

    @property
    def is_old_style(self) -> bool:
        """True for ids of the scheme used until March 2007 (`hep-th/9901001`)."""
        return "/" in self.paper

    def __str__(self) -> str:
        return self.paper if self.version is None else f"{self.paper}v{self.version}"


def _in_url(url: str, *, has_scheme: bool) -> str:
    """The id or DOI in a URL of arXiv or doi.org; raises ValueError naming any other host."""
    try:
        parts = urlsplit(url if has_scheme else f"//{url}")
        host = parts.netloc.lower()
    except ValueError:
        raise ValueError(f"not an arXiv id: {_named(url)}") from None
    path = unquote(parts.path).rstrip("/")
    if host in _DOI_HOSTS:
        return path.removeprefix("/")
    if host not in _HOSTS:
        raise ValueError(f"not a page of arXiv: {_named(parts.netloc)}")
    page = _PAGES.fullmatch(path)
    if page is None:
        raise ValueError(f"not a page of a paper: {_named(url)}")
    return re.sub(r"\.pdf$", "", page[1], flags=re.IGNORECASE)


def _named(text: str) -> str:
    """`text` fit to stand in a message: one line, printable, short."""
    shown = "".join(letter for letter in text[:_NAMED_LENGTH] if letter.isprintable())
    return shown + ("…" if len(text) > _NAMED_LENGTH else "")
