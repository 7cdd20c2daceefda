"""Parser of OAI-PMH responses: bytes to records, headers and tokens, no I/O.

Reads `ListRecords` and `GetRecord` in the formats `arXivRaw` (all versions) and
`arXiv`, `ListIdentifiers`, `ListSets` and `Identify`. The bytes are not trusted
(see `service.arxiv.xml`). One bad record costs that record, never the page.
`<acm-class>` is not read: arXiv prints the MSC class there, or `None`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from lxml import etree

from service.arxiv import xml
from service.arxiv.oai_records import BadRecord, paper_of
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.papers import EntryError, Paper

MAX_BYTES = 64 * 1024 * 1024  # of one answer; 2,500 records have some 5 MB, 20,000 headers 3 MB
MAX_ENTRIES = 50_000  # records or headers in one answer; arXiv sends 2,500 or 20,000

_T = TypeVar("_T")

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_HEADER, _METADATA = f"{_OAI}header", f"{_OAI}metadata"
_NAME, _DATESTAMP, _SET = f"{_OAI}identifier", f"{_OAI}datestamp", f"{_OAI}setSpec"
_IDENTIFIER = re.compile(r"oai:arxiv\.org:(\S+)", re.IGNORECASE)
_REASON_LENGTH = 200  # characters of arXiv's own explanation that are passed on
_NO_MATCH = "noRecordsMatch"
_NO_RECORD = "idDoesNotExist"


class TokenRefused(UpstreamFaulty):
    """arXiv does not take the resumption token (any more): go on from the last day seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One record's header: its paper (without version), the day of its last change, its sets."""

    paper: str
    datestamp: date
    sets: tuple[str, ...] = ()
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """One page of records in arXiv's order; `errors` are the records that could not be read.

    `token` asks for the next page; None on the last. `last_day` is the latest
    datestamp on the page, where to go on without a token; None on an empty page.
    """

    papers: tuple[Paper, ...] = ()
    deleted: tuple[Header, ...] = ()
    errors: tuple[EntryError, ...] = ()
    token: str | None = None
    last_day: date | None = None

    @property
    def entries(self) -> int:
        """How many records the page held, readable or not."""
        return len(self.papers) + len(self.deleted) + len(self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPage:
    """One page of headers in arXiv's order; see RecordPage for the rest."""

    headers: tuple[Header, ...] = ()
    errors: tuple[EntryError, ...] = ()
    token: str | None = None


def records(body: bytes) -> RecordPage:
    """The page of a ListRecords answer; an empty one when no record matches.

    Raises TokenRefused, UpstreamRejected (code `upstream_rejected`) for any other
    error of the protocol, and UpstreamFaulty for what is no OAI-PMH answer. Some
    80 ms of CPU for 1,000 records: belongs in a thread.
    """
    found = _answer(body, "ListRecords", nothing=_NO_MATCH)
    if found is None:
        return RecordPage()
    papers: list[Paper] = []
    deleted: list[Header] = []
    errors: list[EntryError] = []
    days: list[date] = []
    for entry in _entries(found, "record"):
        read = _one(_record, entry)
        match read:
            case Paper():
                papers.append(read)
            case Header():
                deleted.append(read)
            case EntryError():
                errors.append(read)
                continue
        if read.datestamp:
            days.append(read.datestamp)
    return RecordPage(
        papers=tuple(papers),
        deleted=tuple(deleted),
        errors=tuple(errors),
        token=_token(found),
        last_day=max(days, default=None),
    )


def record(body: bytes) -> Paper | Header | EntryError | None:
    """The record of a GetRecord answer: a Header if it is deleted, None if arXiv has none."""
    found = _answer(body, "GetRecord", nothing=_NO_RECORD)
    if found is None:
        return None
    for entry in _entries(found, "record"):
        return _one(_record, entry)
    raise UpstreamFaulty("arXiv's answer holds no record")


def identifiers(body: bytes) -> HeaderPage:
    """The page of a ListIdentifiers answer; raises what `records` raises."""
    found = _answer(body, "ListIdentifiers", nothing=_NO_MATCH)
    if found is None:
        return HeaderPage()
    read = [_one(_header, entry) for entry in _entries(found, "header")]
    return HeaderPage(
        headers=tuple(one for one in read if isinstance(one, Header)),
        errors=tuple(one for one in read if isinstance(one, EntryError)),
        token=_token(found),
    )


def _answer(body: bytes, verb: str, nothing: str = "") -> etree._Element | None:
    """The element `verb` of an answer; None if arXiv's error is `nothing`; raises for any other."""
    if len(body) > MAX_BYTES:
        raise UpstreamFaulty("arXiv's answer is larger than any answer may be")
    root = xml.parse(body)
    if root.tag != f"{_OAI}OAI-PMH":
        raise UpstreamFaulty("arXiv's answer is no OAI-PMH answer")
    found = root.find(f"{_OAI}{verb}")
    if found is not None:
        return found
    errors = {one.get("code", ""): xml.text_of(one) for one in root.iterfind(f"{_OAI}error")}
    if nothing and nothing in errors:
        return None
    if "badResumptionToken" in errors:
        raise TokenRefused("arXiv refuses the resumption token")
    for code, reason in errors.items():
        why = f"{code}: {reason}"[:_REASON_LENGTH]
        raise UpstreamRejected(f"arXiv refused the list ({why})", code="upstream_rejected")
    raise UpstreamFaulty(f"arXiv's answer holds no {verb} and no error")


def _entries(found: etree._Element, name: str) -> list[etree._Element]:
    entries = found.findall(f"{_OAI}{name}")
    if len(entries) > MAX_ENTRIES:
        raise UpstreamFaulty("arXiv's answer holds more entries than any page may")
    return entries


def _one(read: Callable[[etree._Element], _T], entry: etree._Element) -> _T | EntryError:
    """What `read` makes of an entry, or why it is nothing."""
    try:
        return read(entry)
    except BadRecord as bad:
        return EntryError(str(bad), bad.paper)


def _record(entry: etree._Element) -> Paper | Header:
    parts = {str(part.tag): part for part in entry}
    if _HEADER not in parts:
        raise BadRecord("the record has no header")
    header = _header(parts[_HEADER])
    if header.is_deleted:
        return header
    metadata = parts.get(_METADATA)
    if metadata is None or not len(metadata):
        raise BadRecord("the record has no metadata", header.paper)
    return paper_of(metadata[0], header.paper, header.datestamp)


def _header(element: etree._Element) -> Header:
    texts = [(str(part.tag), (part.text or "").strip()) for part in element]
    fields = dict(texts)
    match = _IDENTIFIER.fullmatch(fields.get(_NAME, ""))
    try:
        arxiv_id = ArxivId.parse(match[1] if match else "")
    except ValueError as err:
        raise BadRecord("the record's identifier is no arXiv id") from err
    try:
        datestamp = date.fromisoformat(fields.get(_DATESTAMP, "")[:10])
    except ValueError as err:
        raise BadRecord("the record's `datestamp` is no day", arxiv_id.paper) from err
    return Header(
        paper=arxiv_id.paper,
        datestamp=datestamp,
        sets=tuple(text for name, text in texts if name == _SET and text),
        is_deleted=element.get("status") == "deleted",
    )


def _token(found: etree._Element) -> str | None:
    """The token of the next page; None where it is empty (the last page) or missing."""
    return _text(found, "resumptionToken") or None


def _text(parent: etree._Element, name: str) -> str:
    return xml.text_of(parent.find(f"{_OAI}{name}"))
