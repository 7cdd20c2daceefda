"""Jobs: the request, the status, and the row as a value."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Self
from uuid import UUID

from service.domain.channels import WaitReason
from service.domain.identifiers import ArxivId

SEARCH_WINDOW = 10_000  # start + max_results that the query API serves for certain
MAX_PAGE_SIZE = 2_000  # results in one answer of the query API (arXiv API manual)
DEFAULT_PAPERS = 100  # papers a search brings when the caller sets no bound: one page


class JobStatus(StrEnum):
    """The only five states of a job; the last three are terminal (finished)."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing will change this job again."""
        return self not in ACTIVE_STATUSES


ACTIVE_STATUSES = (JobStatus.PENDING, JobStatus.RUNNING)


class Stage(StrEnum):
    """Where an error of a job happened."""

    ARXIV_FETCH = "arxiv_fetch"
    STORE = "store"
    PDF_DOWNLOAD = "pdf_download"
    PDF_PROCESSING = "pdf_processing"
    GENERAL = "general"


class Priority(StrEnum):
    """How urgent a job is, against the others."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What to search for. Everything given must match; `ids` narrow it further.

    `from_date` and `to_date` are both inclusive, by day (GMT) of submission.
    `page_size` (1–2,000) is how many papers one request to arXiv asks for.
    """

    query: str | None = None
    category: str | None = None
    author: str | None = None
    title: str | None = None
    abstract: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    ids: tuple[ArxivId, ...] = ()
    page_size: int = 100
    start: int = 0
    sort_by: str = "submittedDate"
    sort_order: str = "descending"

    @property
    def has_terms(self) -> bool:
        """True when something besides `ids` narrows the search."""
        terms = (self.query, self.category, self.author, self.title, self.abstract)
        return any(terms) or self.from_date is not None or self.to_date is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class OaiCriteria:
    """What to list over OAI-PMH: a set (None: all), and days of last change (None: open ends).

    `metadata_format` is `arXivRaw` (all versions) or `arXiv`.
    """

    set: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    metadata_format: str = "arXivRaw"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCriteria:
    """A metadata snapshot: the name of a file in the snapshot directory."""

    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCriteria:
    """What to compare with arXiv's list: a set and days of last change, as of `OaiCriteria`.

    With `heal` what is missing or stale is ingested.
    """

    set: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    heal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsCriteria:
    """Whose documents to make anew from the files that are held; None: all that are outdated."""

    ids: tuple[ArxivId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestionRequest:
    """A validated request for a job.

    `criteria` belongs to a search, each other source has an object of its own (its
    name). `batch_size` (1–200, in bulk up to 2,000) papers commit at once; at most
    `max_papers` are ingested (None: no bound). With `skip_duplicates` a paper held
    in the same version is left alone (of bulk sources: its file).
    """

    criteria: Criteria = Criteria()
    oai: OaiCriteria | None = None
    snapshot: SnapshotCriteria | None = None
    audit: AuditCriteria | None = None
    documents: DocumentsCriteria | None = None
    source: str = "search"
    batch_size: int = 50
    max_papers: int | None = DEFAULT_PAPERS
    process_pdfs: bool = True
    process_html: bool = False
    skip_duplicates: bool = True
    priority: Priority = Priority.NORMAL
    labels: Mapping[str, str] = field(default_factory=dict)
    callback_url: str | None = None

    @property
    def bound(self) -> int:
        """The most papers to ingest, a large number if there is no bound."""
        return sys.maxsize if self.max_papers is None else self.max_papers

    @property
    def is_bulk(self) -> bool:
        """True where the content of a record decides whether it is written, not its version."""
        return self.source in BULK

    @property
    def pinned(self) -> frozenset[ArxivId]:
        """The versions that a list of ids asks for by their numbers."""
        return frozenset(one.canonical for one in self.criteria.ids if one.version is not None)

    @property
    def estimated_papers(self) -> int | None:
        """The most papers that a search can ingest, before asking arXiv; None for the others."""
        if self.source != SEARCH:
            return None
        ids = self.criteria.ids
        return min(len(ids), self.bound) if ids else self.bound

    @property
    def searched(self) -> dict[str, Any]:
        """The object that belongs to the source, as shown: JSON, nothing in it that is not set."""
        document = _criteria_document(self)
        return {name: value for name, value in document.items() if value not in (None, [])}

    def dump(self) -> dict[str, Any]:
        """The request as stored and shown: JSON, in the caller's words, defaults filled in."""
        return {
            CRITERIA_OF.get(self.source, OF_SEARCH): self.searched,
            "source": self.source,
            "batch_size": self.batch_size,
            "max_papers": self.max_papers,
            "process_pdfs": self.process_pdfs,
            "skip_duplicates": self.skip_duplicates,
            "priority": str(self.priority),
            # left out where there is none, as in requests from before they existed
            **({"process_html": True} if self.process_html else {}),
            **({"labels": dict(self.labels)} if self.labels else {}),
            **({"callback_url": self.callback_url} if self.callback_url else {}),
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        """The request that `dump` wrote; raises KeyError or ValueError for anything else."""
        source = document["source"]
        criteria: dict[str, Any] = dict(document[CRITERIA_OF.get(source, OF_SEARCH)])
        settings = {name: document[name] for name in _PLAIN_SETTINGS}
        return cls(
            **_criteria(source, criteria),
            priority=Priority(document["priority"]),
            process_html=bool(document.get("process_html", False)),
            labels=dict(document.get("labels", {})),
            callback_url=document.get("callback_url"),
            **settings,
        )


SEARCH = "search"
BULK: Mapping[str, type[OaiCriteria | SnapshotCriteria | AuditCriteria]] = {
    "oai": OaiCriteria,
    "snapshot": SnapshotCriteria,
    "audit": AuditCriteria,
}
OF_SEARCH = "search_query"
DOCUMENTS = "documents"
CRITERIA_OF: Mapping[str, str] = {
    SEARCH: OF_SEARCH,
    **{name: name for name in BULK},
    DOCUMENTS: DOCUMENTS,
}
DAY_FORMAT = "%Y%m%d"
_PLAIN_SETTINGS = ("source", "batch_size", "max_papers", "process_pdfs", "skip_duplicates")


def _criteria(source: str, document: dict[str, Any]) -> dict[str, Any]:
    """The field of a request that `document` stands for, by its name."""
    if source == DOCUMENTS:
        ids = document.get("ids")
        chosen = None if ids is None else tuple(ArxivId.parse(text) for text in ids)
        return {source: DocumentsCriteria(ids=chosen)}
    if source in BULK:
        for name in _DAYS.intersection(document):
            document[name] = date.fromisoformat(document[name])
        return {source: BULK[source](**document)}
    page_size = document.pop("max_results")
    ids = tuple(ArxivId.parse(text) for text in document.pop("ids", ()))
    for name in _DAYS.intersection(document):
        document[name] = datetime.strptime(document[name], DAY_FORMAT).date()
    return {"criteria": Criteria(page_size=page_size, ids=ids, **document)}


_DAYS = frozenset({"from_date", "to_date"})


def _criteria_document(request: IngestionRequest) -> dict[str, Any]:
    if request.source == DOCUMENTS:
        ids = None if request.documents is None else request.documents.ids
        return {"ids": None if ids is None else [str(one) for one in ids]}
    if request.source in BULK:
        document = asdict(getattr(request, request.source))
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in document.items()
        }
    criteria = request.criteria
    return {
        "query": criteria.query,
        "category": criteria.category,
        "author": criteria.author,
        "title": criteria.title,
        "abstract": criteria.abstract,
        "from_date": criteria.from_date and criteria.from_date.strftime(DAY_FORMAT),
        "to_date": criteria.to_date and criteria.to_date.strftime(DAY_FORMAT),
        "ids": [str(arxiv_id) for arxiv_id in criteria.ids],
        "max_results": criteria.page_size,
        "start": criteria.start,
        "sort_by": criteria.sort_by,
        "sort_order": criteria.sort_order,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """One thing that went wrong in a job. `message` is safe to show to any caller."""

    stage: Stage
    message: str
    code: str | None
    occurred_at: datetime | None = None  # None: the moment it is stored
    arxiv_id: str | None = None
    attempt: int | None = None
    line: int | None = None


class EndedJob(NamedTuple):
    """A job that a transaction has just completed or failed; `seconds` since it was started.

    (Of a job that nobody had started: since it was created.)
    """

    job_id: UUID
    requested_by: str | None
    seconds: float


class Job(NamedTuple):
    """One row of `jobs` with its latest errors, oldest first.

    A tuple, because one is made for each read of a job, and this is the cheapest to make.
    """

    id: UUID
    status: JobStatus
    priority: Priority
    request: Mapping[str, Any]
    requested_by: str | None
    retry_of: UUID | None
    checkpoint: Mapping[str, Any] | None
    papers_total: int | None
    pages_fetched: int
    papers_fetched: int
    papers_created: int
    papers_updated: int
    papers_skipped: int
    pdfs_downloaded: int
    pdfs_processed: int
    pdfs_pending: int
    pdfs_failed: int
    pdfs_unavailable: int
    errors_total: int
    resumed: int
    created_at: datetime
    taken_up_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    version: int
    waiting_for: WaitReason | None = None
    waiting_since: datetime | None = None
    html_pending: int = 0
    documents_html: int = 0
    documents_pdf: int = 0
    facts: Mapping[str, Any] = MappingProxyType({})
    schedule_id: UUID | None = None
    errors: tuple[JobError, ...] = ()
