"""One OAI-PMH record of arXiv as a paper: the formats `arXivRaw` and `arXiv`.

arXivRaw tells all versions and hands on what authors typed; `arXiv` tells the
current state only, its authors parted into names, and neither version nor
history: such a paper counts as version 1, published when it was created.
"""

import re
from datetime import UTC, date, datetime

from lxml import etree

from service.arxiv.authors import Authors, listed, split
from service.arxiv.tex_accents import converted
from service.arxiv.withdrawals import is_withdrawn
from service.arxiv.xml import text_of
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    TOLD_BY_OAI_ARXIV,
    TOLD_BY_OAI_RAW,
    Paper,
    PaperVersion,
    single_spaced,
)

_RAW = "{http://arxiv.org/OAI/arXivRaw/}"
_PARTED = "{http://arxiv.org/OAI/arXiv/}"
_NULL = "None"  # arXiv's templates print it for what its database has not
_VERSION, _DATE = f"{_RAW}version", f"{_RAW}date"
_SIZE, _SOURCE_TYPE = f"{_RAW}size", f"{_RAW}source_type"
_NUMBER = re.compile(r"v?([1-9]\d{0,3})", re.ASCII)
_KILOBYTES = re.compile(r"(\d{1,9})\s*kb", re.IGNORECASE | re.ASCII)
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}

_WITH_AFFILIATIONS = TOLD_BY_OAI_ARXIV | {"affiliations"}


class BadRecord(Exception):
    """A record that is no paper; the message says why, `paper` which one, if it can be told."""

    def __init__(self, message: str, paper: str | None = None) -> None:
        super().__init__(message)
        self.paper = paper


def paper_of(metadata: etree._Element, paper: str, datestamp: date) -> Paper:
    """The paper of a record whose header names `paper`; raises BadRecord."""
    match metadata.tag:
        case "{http://arxiv.org/OAI/arXivRaw/}arXivRaw":
            return _raw(metadata, paper, datestamp)
        case "{http://arxiv.org/OAI/arXiv/}arXiv":
            return _parted(metadata, paper, datestamp)
    raise BadRecord("the record is in a format that was not asked for", paper)


def _raw(metadata: etree._Element, paper: str, datestamp: date) -> Paper:
    texts = _texts(metadata, _RAW)
    versions = _history(metadata, paper)
    authors, affiliations = split(_said(texts, "authors") or "")
    categories = _categories(texts, paper)
    comments = _typed(texts, "comments")
    return Paper(
        arxiv_id=ArxivId(paper, versions[-1].version),
        title=_title(texts, paper),
        abstract=_typed(texts, "abstract") or "",
        authors=authors,
        affiliations=affiliations,
        categories=categories,
        primary_category=categories[0],
        published_at=versions[0].submitted_at,
        updated_at=versions[-1].submitted_at,
        doi=_said(texts, "doi"),
        journal_ref=_typed(texts, "journal-ref"),
        comments=comments,
        license=_said(texts, "license"),
        withdrawn=is_withdrawn(comments, versions),
        submitter=_said(texts, "submitter"),
        versions=versions,
        datestamp=datestamp,
        told=TOLD_BY_OAI_RAW,
    )


def _parted(metadata: etree._Element, paper: str, datestamp: date) -> Paper:
    texts = _texts(metadata, _PARTED)
    authors, affiliations = _authors(metadata)
    categories = _categories(texts, paper)
    comments = _typed(texts, "comments")
    created = _day(texts.get("created", ""), paper)
    withdrawn = is_withdrawn(comments)
    told = _WITH_AFFILIATIONS if any(affiliations) else TOLD_BY_OAI_ARXIV
    return Paper(
        arxiv_id=ArxivId(paper, 1),
        title=_title(texts, paper),
        abstract=_typed(texts, "abstract") or "",
        authors=authors,
        affiliations=affiliations,
        categories=categories,
        primary_category=categories[0],
        published_at=created,
        updated_at=max(created, _day(texts.get("updated", "") or texts["created"], paper)),
        doi=_said(texts, "doi"),
        journal_ref=_typed(texts, "journal-ref"),
        comments=comments,
        license=_said(texts, "license"),
        withdrawn=withdrawn,
        datestamp=datestamp,
        told=told | {"withdrawn"} if withdrawn else told,
    )


def _texts(metadata: etree._Element, space: str) -> dict[str, str]:
    """Local name → text of the elements in `metadata`, but for those made of others."""
    skipped = len(space)
    return {str(one.tag)[skipped:]: one.text or "" for one in metadata if not len(one)}


def _said(texts: dict[str, str], name: str) -> str | None:
    text = single_spaced(texts.get(name, ""))
    return text if text and text != _NULL else None


def _typed(texts: dict[str, str], name: str) -> str | None:
    """A text of the authors', accents converted."""
    text = _said(texts, name)
    return converted(text) if text else None


def _title(texts: dict[str, str], paper: str) -> str:
    title = converted(single_spaced(texts.get("title", "")))
    if not title:
        raise BadRecord("the record has no title", paper)
    return title


def _categories(texts: dict[str, str], paper: str) -> tuple[str, ...]:
    categories = tuple(dict.fromkeys((_said(texts, "categories") or "").split()))
    if not categories:
        raise BadRecord("the record has no category", paper)
    return categories


def _history(metadata: etree._Element, paper: str) -> tuple[PaperVersion, ...]:
    """All versions, oldest first; raises BadRecord where none is readable or one is not."""
    found = [_version(element, paper) for element in metadata if element.tag == _VERSION]
    if not found:
        raise BadRecord("the record has no version", paper)
    if len(found) > 1:
        numbered = {version.version: version for version in found}
        found = [numbered[number] for number in sorted(numbered)]
    return tuple(found)


def _version(element: etree._Element, paper: str) -> PaperVersion:
    number = _NUMBER.fullmatch(element.get("version", ""))
    if number is None:
        raise BadRecord("one of the record's versions has no number", paper)
    submitted_at, size, source_type = None, None, None
    for child in element:
        tag, text = child.tag, (child.text or "").strip()
        if tag == _DATE:
            submitted_at = _moment(text, paper)
        elif tag == _SIZE:
            size = _KILOBYTES.fullmatch(text)
        elif tag == _SOURCE_TYPE:
            source_type = text or None
    if submitted_at is None:
        raise BadRecord("one of the record's versions has no date", paper)
    return PaperVersion(
        version=int(number[1]),
        submitted_at=submitted_at,
        size_kb=int(size[1]) if size else None,
        source_type=source_type,
    )


def _authors(metadata: etree._Element) -> Authors:
    """The authors of the format `arXiv`, each as `Forenames Keyname Suffix`."""
    people = []
    for author in metadata.iterfind(f"{_PARTED}authors/{_PARTED}author"):
        parts = dict.fromkeys(("forenames", "keyname", "suffix"), "")
        affiliations = []
        for child in author:
            name = str(child.tag)[len(_PARTED) :]
            if name == "affiliation":
                affiliations.append(text_of(child))
            elif name in parts:
                parts[name] = text_of(child)
        name = " ".join(part for part in parts.values() if part)
        people.append((name, tuple(text for text in affiliations if text)))
    return listed(people)


def moment(text: str) -> datetime:
    """`Tue, 05 Mar 2024 10:00:00 GMT` as aware UTC (RFC 1123, one or two digits for the day).

    Raises ValueError for anything else. Quicker by far than email.utils.
    """
    _, day, month, year, time, zone = text.split()
    if zone not in ("GMT", "UTC", "+0000"):
        raise ValueError("not GMT")
    hour, minute, second = time.split(":")
    number = _MONTHS.get(month, 0)
    return datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)


def _moment(text: str, paper: str) -> datetime:
    try:
        return moment(text)
    except ValueError as err:
        raise BadRecord("the `date` of one of the record's versions is no moment", paper) from err


def _day(text: str, paper: str) -> datetime:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError as err:
        raise BadRecord("the record's `created` or `updated` is no day", paper) from err
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
