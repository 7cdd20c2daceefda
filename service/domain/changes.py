"""Changes of papers: what happened to one, and its place in the feed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class ChangeKind(StrEnum):
    """What changed. Of a paper one in a transaction: the first that fits; the last three apart."""

    REMOVED = "removed"
    CREATED = "created"
    VERSION = "version"
    WITHDRAWN = "withdrawn"
    LICENSE = "license"
    METADATA = "metadata"
    PDF = "pdf"
    TEXT = "text"
    DOCUMENT = "document"


class Place(NamedTuple):
    """A place in the feed: behind the change of this id in the batch at this position.

    Both are from 1 on; places compare as the feed is ordered.
    """

    position: int
    id: int


BEGINNING = Place(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one paper; `version` is the paper's, or that of the file, text, document.

    `job_id` is None where no job changed it: an operator did.
    """

    place: Place
    at: datetime
    arxiv_id: str
    version: int
    kind: ChangeKind
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Where the feed begins and ends.

    `trimmed`: up to there retention has removed it. `is_behind`: the database only reads
    (a standby), so that what readers have seen elsewhere may still be to come here.
    """

    last_position: int
    trimmed: Place
    is_behind: bool = False


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in their order, and the place up to which the feed was read.

    `is_last`: nothing follows now.
    """

    changes: tuple[Change, ...]
    end: Place
    is_last: bool
