"""Parser of one line of Kaggle's metadata snapshot: bytes to a paper or an error.

The snapshot is a file of JSON lines, one for each paper of arXiv, with the texts
as authors typed them and the versions with their dates, but without sizes and
source types (kaggle.com/datasets/Cornell-University/arxiv).

A line is read in two steps. The first is quick, and gives its id and a digest: of a paper
that is held as a line of the same digest told it, the second need not be made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from service.arxiv.authors import split
from service.arxiv.oai_records import moment
from service.arxiv.tex_accents import converted
from service.arxiv.withdrawals import is_withdrawn
from service.domain.identifiers import ArxivId
from service.domain.papers import TOLD_BY_SNAPSHOT, Paper, PaperVersion, single_spaced

MAX_LINE_BYTES = 4 * 1024 * 1024  # the longest of arXiv's (3,000 authors) has some 100 kB

# Part of each digest. To be raised with whatever changes what a line is read as, in this module
# or in what it calls: lines that are held as they were read before are then read once more.
READING = b"1"

_WITHDRAWN = TOLD_BY_SNAPSHOT | {"withdrawn"}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no paper: its number in the file, from 1, and why; never its text."""

    line: int
    reason: str
    arxiv_id: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """A line that names a paper: its number in the file, from 1, the id, and what it says.

    `digest` is the same for the same bytes, read in the same way.
    """

    line: int
    paper: str
    digest: UUID
    document: Mapping[str, Any]


def record_in(line: bytes, number: int) -> SnapshotRecord | BadLine:
    """What `line`, the `number`th of its file, holds, or why that is no record."""
    if len(line) > MAX_LINE_BYTES:
        return BadLine(number, "the line is too long")
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return BadLine(number, "the line is no JSON")
    if not isinstance(document, dict):
        return BadLine(number, "the line is no JSON object")
    try:
        paper = ArxivId.parse(_text(document, "id")).paper
    except _Unusable as bad:
        return BadLine(number, str(bad))
    except ValueError:
        return BadLine(number, "its `id` is no arXiv id")
    digest = UUID(bytes=blake2b(line, digest_size=16, person=READING).digest())
    return SnapshotRecord(number, paper, digest, document)


def paper_of(record: SnapshotRecord) -> Paper | BadLine:
    """The paper that a record describes, or why it describes none."""
    try:
        return _paper(record)
    except _Unusable as bad:
        return BadLine(record.line, str(bad), record.paper)


class _Unusable(Exception):
    """A field that makes the record useless; the message names it."""


def _paper(record: SnapshotRecord) -> Paper:
    document = record.document
    versions = _history(document)
    title, categories = converted(_text(document, "title")), _text(document, "categories").split()
    if not title or not categories:
        raise _Unusable(f"it has no {'category' if title else 'title'}")
    authors, affiliations = split(_text(document, "authors"))
    comments = converted(_text(document, "comments")) or None
    withdrawn = is_withdrawn(comments)
    return Paper(
        arxiv_id=ArxivId(record.paper, versions[-1].version),
        title=title,
        abstract=converted(_text(document, "abstract")),
        authors=authors,
        affiliations=affiliations,
        categories=tuple(dict.fromkeys(categories)),
        primary_category=categories[0],
        published_at=versions[0].submitted_at,
        updated_at=versions[-1].submitted_at,
        doi=_text(document, "doi") or None,
        journal_ref=converted(_text(document, "journal-ref")) or None,
        comments=comments,
        license=_text(document, "license") or None,
        withdrawn=withdrawn,
        submitter=_text(document, "submitter") or None,
        versions=versions,
        datestamp=_day(document),
        told=_WITHDRAWN if withdrawn else TOLD_BY_SNAPSHOT,
        snapshot_digest=record.digest,
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    """The text of a field, single spaced; "" where it is null or missing."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Unusable(f"its `{name}` is no text")
    return single_spaced(value)


def _day(document: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(_text(document, "update_date"))
    except ValueError as err:
        raise _Unusable("its `update_date` is no day") from err


def _history(document: Mapping[str, Any]) -> tuple[PaperVersion, ...]:
    """All versions, oldest first."""
    listed = document.get("versions")
    if not isinstance(listed, list) or not listed:
        raise _Unusable("it has no `versions`")
    found: dict[int, PaperVersion] = {}
    try:
        for one in listed:
            number = int(one["version"].removeprefix("v"))
            if not 1 <= number <= 9_999:
                raise ValueError("no version that an id could name")
            found[number] = PaperVersion(version=number, submitted_at=moment(one["created"]))
    except (TypeError, KeyError, ValueError, AttributeError) as err:
        raise _Unusable("one of its `versions` is none") from err
    return tuple(found[number] for number in sorted(found))
