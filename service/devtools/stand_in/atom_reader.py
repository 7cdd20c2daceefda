"""Reading recorded feeds: which request they answered, and the papers in them.

Only as much as is needed to serve them again; what cannot be read is left out,
because recordings of broken answers are kept for being broken.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from lxml import etree

from service.domain.identifiers import ArxivId
from service.domain.papers import Paper, single_spaced

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_REQUEST = re.compile(
    r"search_query=(?P<query>.*?)&id_list=(?P<ids>[^&]*)&start=(?P<start>\d+)"
    r"&max_results=(?P<most>\d+)",
    re.DOTALL,
)
_UNKNOWN = datetime(1991, 8, 14, tzinfo=UTC)  # the day arXiv began


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """What a recorded feed tells: its papers, total, and the request it answered if it says so."""

    papers: tuple[Paper, ...] = ()
    total: int = 0
    query: str = ""
    ids: tuple[str, ...] = ()
    start: int = 0
    max_results: int | None = None


def read_feed(body: bytes) -> ReadFeed:
    """What can be read from `body`; nothing when it is no XML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return ReadFeed()
    papers = [paper for entry in root.iterfind(f"{_ATOM}entry") if (paper := _paper(entry))]
    total = (root.findtext(_TOTAL) or "").strip()
    asked = _request(root)
    return ReadFeed(
        papers=tuple(papers),
        total=int(total) if total.isdecimal() else len(papers),
        query=asked["query"] if asked else "",
        ids=tuple(part for part in asked["ids"].split(",") if part) if asked else (),
        start=int(asked["start"]) if asked else 0,
        max_results=int(asked["most"]) if asked else None,
    )


def _request(root: etree._Element) -> re.Match[str] | None:
    """The request that a feed repeats: old servers in the link, all of them in the title."""
    link = root.find(f"{_ATOM}link")
    texts = (unquote(link.get("href", "")) if link is not None else "", _text(root, "title"))
    return next((match for text in texts if (match := _REQUEST.search(text))), None)


def _paper(entry: etree._Element) -> Paper | None:
    """The paper of an entry; None for ghosts and errors."""
    try:
        arxiv_id = ArxivId.parse(_text(entry, "id").partition("/abs/")[2])
    except ValueError:
        return None
    categories = tuple(one.get("term", "") for one in entry.iterfind(f"{_ATOM}category"))
    primary = entry.find(f"{_ARXIV}primary_category")
    updated = _moment(_text(entry, "updated"))
    return Paper(
        arxiv_id=ArxivId(arxiv_id.paper, arxiv_id.version or 1),
        title=_text(entry, "title"),
        abstract=_text(entry, "summary"),
        authors=tuple(_text(author, "name") for author in entry.iterfind(f"{_ATOM}author")),
        categories=categories,
        primary_category=primary.get("term", "") if primary is not None else "",
        published_at=_moment(_text(entry, "published")) or updated or _UNKNOWN,
        updated_at=updated or _UNKNOWN,
        doi=_text(entry, "doi", _ARXIV) or None,
        journal_ref=_text(entry, "journal_ref", _ARXIV) or None,
        comments=_text(entry, "comment", _ARXIV) or None,
    )


def _text(parent: etree._Element, name: str, space: str = _ATOM) -> str:
    return single_spaced(parent.findtext(f"{space}{name}") or "")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
