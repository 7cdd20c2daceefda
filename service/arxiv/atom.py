"""Parser of the query API's Atom feed: bytes to a page of papers, no I/O.

The bytes are not trusted (see `service.arxiv.xml`). One bad entry costs that
entry, never the page.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lxml import etree

from service.arxiv import xml
from service.arxiv.authors import Author, listed
from service.arxiv.tex_accents import converted
from service.arxiv.withdrawals import is_withdrawn
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.jobs import MAX_PAGE_SIZE
from service.domain.papers import TOLD_BY_SEARCH, EntryError, Page, Paper, single_spaced

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"

_ERROR_ID = "/api/errors"
_ERROR_TITLE = "Error"
_REASON_LENGTH = 200  # characters of arXiv's own explanation that are passed on
_ABS_URL = re.compile(r"https?://[^/\s]+/abs/(\S+)")
_COUNT = re.compile(r"\d{1,9}", re.ASCII)


class _BadEntry(Exception):
    """An entry that is no paper; the message says why, `paper` which one, if it can be told."""

    def __init__(self, message: str, paper: str | None = None) -> None:
        super().__init__(message)
        self.paper = paper


def parse(body: bytes) -> Page:
    """The page that `body` holds, papers in arXiv's order; bad entries are its `errors`.

    Raises UpstreamRejected for arXiv's error feed and UpstreamFaulty for
    anything that is no Atom feed. About 0.4 s of CPU for 2,000 entries: big
    bodies belong in a thread.
    """
    feed = _feed(body)
    entries = feed.findall(f"{_ATOM}entry")
    _refuse_error_feed(entries)
    if len(entries) > MAX_PAGE_SIZE:
        raise UpstreamFaulty("arXiv's answer holds more entries than any page may")
    papers: list[Paper] = []
    errors: list[EntryError] = []
    for entry in entries:
        try:
            papers.append(_paper(entry))
        except _BadEntry as bad:
            errors.append(EntryError(str(bad), bad.paper))
    return Page(tuple(papers), _total(feed), tuple(errors))


def _feed(body: bytes) -> etree._Element:
    root = xml.parse(body)
    if root.tag != f"{_ATOM}feed":
        raise UpstreamFaulty("arXiv's answer is no Atom feed")
    return root


def _refuse_error_feed(entries: Sequence[etree._Element]) -> None:
    """Raise UpstreamRejected if the feed is arXiv's way to refuse a query (HTTP 400, once 200)."""
    for entry in entries:
        has_error_id = _ERROR_ID in _text(entry, f"{_ATOM}id")
        is_titled_error = len(entries) == 1 and _text(entry, f"{_ATOM}title") == _ERROR_TITLE
        if has_error_id or is_titled_error:
            reason = _text(entry, f"{_ATOM}summary")[:_REASON_LENGTH] or "no reason given"
            raise UpstreamRejected(f"arXiv refused the query: {reason}")


def _total(feed: etree._Element) -> int:
    count = _text(feed, f"{_OPENSEARCH}totalResults")
    if not _COUNT.fullmatch(count):
        raise UpstreamFaulty("arXiv's answer does not say how many results there are")
    return int(count)


def _paper(entry: etree._Element) -> Paper:
    arxiv_id = _arxiv_id(entry)
    title = converted(_text(entry, f"{_ATOM}title"))
    categories = tuple(_categories(entry))
    if not title or not categories:
        raise _BadEntry(f"the entry has no {'category' if title else 'title'}", arxiv_id.paper)
    comments = converted(_text(entry, f"{_ARXIV}comment")) or None
    authors, affiliations = listed(_authors(entry))
    license_uri, withdrawn = _license(entry), is_withdrawn(comments)
    told = {"affiliations": any(affiliations), "license": license_uri, "withdrawn": withdrawn}
    return Paper(
        arxiv_id=arxiv_id,
        title=title,
        abstract=converted(_text(entry, f"{_ATOM}summary")),
        authors=authors,
        affiliations=affiliations,
        categories=categories,
        primary_category=categories[0],
        published_at=_moment(entry, "published", arxiv_id),
        updated_at=_moment(entry, "updated", arxiv_id),
        doi=_text(entry, f"{_ARXIV}doi") or None,
        journal_ref=converted(_text(entry, f"{_ARXIV}journal_ref")) or None,
        comments=comments,
        license=license_uri,
        withdrawn=withdrawn,
        told=TOLD_BY_SEARCH.union(name for name, is_told in told.items() if is_told),
    )


def _arxiv_id(entry: etree._Element) -> ArxivId:
    """The entry's id with its version, from `http://arxiv.org/abs/…`."""
    url = _text(entry, f"{_ATOM}id")
    if not url:
        raise _BadEntry("the entry has no id")
    match = _ABS_URL.fullmatch(url)
    try:
        arxiv_id = ArxivId.parse(match[1] if match else "")
    except ValueError as err:
        raise _BadEntry("the entry's id is no arXiv id") from err
    if arxiv_id.version is None:
        raise _BadEntry("the entry's id has no version", arxiv_id.paper)
    return arxiv_id


def _authors(entry: etree._Element) -> Iterator[Author]:
    """Each author's name and affiliations, in the feed's order."""
    for author in entry.iterfind(f"{_ATOM}author"):
        found = (xml.text_of(element) for element in author.iterfind(f"{_ARXIV}affiliation"))
        yield _text(author, f"{_ATOM}name"), tuple(text for text in found if text)


def _categories(entry: etree._Element) -> Iterator[str]:
    """The primary category, then the others in arXiv's order, each once."""
    elements = [*entry.iterfind(f"{_ARXIV}primary_category"), *entry.iterfind(f"{_ATOM}category")]
    terms = (single_spaced(element.get("term", "")) for element in elements)
    return iter(dict.fromkeys(term for term in terms if term))


def _license(entry: etree._Element) -> str | None:
    """The licence's URL, where given; the query API usually leaves it out."""
    for link in entry.iterfind(f"{_ATOM}link[@rel='license']"):
        return single_spaced(link.get("href", "")) or None
    return _text(entry, f"{_ARXIV}license") or None


def _moment(entry: etree._Element, name: str, arxiv_id: ArxivId) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(entry, f"{_ATOM}{name}"))
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise _BadEntry(f"the entry's `{name}` is no moment", arxiv_id.paper) from err


def _text(parent: etree._Element, tag: str) -> str:
    """The text of the first `tag` in `parent`, with that of elements inside; "" without one."""
    return xml.text_of(parent.find(tag))
