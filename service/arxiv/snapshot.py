"""Parser of one line of Kaggle's metadata snapshot: bytes to a record or an error.

The snapshot is a file of JSON lines, one for each paper of arXiv, with the texts
as authors typed them and the versions with their dates, but without sizes and
source types (kaggle.com/datasets/Cornell-University/arxiv).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from service.arxiv.authors import split
from service.arxiv.oai_records import moment
from service.arxiv.tex_accents import converted
from service.arxiv.withdrawals import is_withdrawn
from service.domain.identifiers import ArxivId
from service.domain.papers import TOLD_BY_SNAPSHOT, Paper, PaperVersion, single_spaced

MAX_LINE_BYTES = 4 * 1024 * 1024  # the longest of arXiv's (3,000 authors) has some 100 kB

_WITHDRAWN = TOLD_BY_SNAPSHOT | {"withdrawn"}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no paper: its number in the file, from 1, and why; never its text."""

    line: int
    reason: str
    arxiv_id: str | None = None


def paper_in(line: bytes, number: int) -> Paper | BadLine:
    """The paper that `line`, the `number`th of its file, holds, or why it holds none."""
    if len(line) > MAX_LINE_BYTES:
        return BadLine(number, "the line is too long")
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return BadLine(number, "the line is no JSON")
    if not isinstance(document, dict):
        return BadLine(number, "the line is no JSON object")
    arxiv_id = None
    try:
        arxiv_id = ArxivId.parse(_text(document, "id"))
        return _paper(document, arxiv_id.paper)
    except _Unusable as bad:
        return BadLine(number, str(bad), arxiv_id.paper if arxiv_id else None)
    except ValueError:
        return BadLine(number, "its `id` is no arXiv id")


class _Unusable(Exception):
    """A field that makes the record useless; the message names it."""


def _paper(document: Mapping[str, Any], paper: str) -> Paper:
    versions = _history(document)
    title, categories = converted(_text(document, "title")), _text(document, "categories").split()
    if not title or not categories:
        raise _Unusable(f"it has no {'category' if title else 'title'}")
    authors, affiliations = split(_text(document, "authors"))
    comments = converted(_text(document, "comments")) or None
    withdrawn = is_withdrawn(comments)
    return Paper(
        arxiv_id=ArxivId(paper, versions[-1].version),
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
