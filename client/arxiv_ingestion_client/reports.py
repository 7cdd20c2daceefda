"""Response values: a job's status, and JSON objects by their keys.

Answers may grow keys that this client does not know; they do no harm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict


@dataclass(frozen=True, slots=True)
class JobReport:
    """Status of a job; `document` is the JSON object as the service sent it."""

    document: Mapping[str, Any]
    etag: str | None = None
    is_replayed: bool = False  # recorded by an earlier request with the same idempotency key

    @property
    def job_id(self) -> str:
        """Id of the job."""
        return str(self.document["job_id"])

    @property
    def status(self) -> str:
        """`pending`, `running`, `completed`, `failed`, `cancelled`; a later version may add."""
        return str(self.document["status"])

    @property
    def is_final(self) -> bool:
        """True when nothing will change any more."""
        return self.status not in ("pending", "running")

    @property
    def stats(self) -> Mapping[str, Any]:
        """What the service tells beyond the six counters; empty before work has begun."""
        found = self.document.get("stats")
        return found if isinstance(found, Mapping) else {}

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        """The latest errors, oldest first."""
        return [one for one in self.document.get("errors") or () if isinstance(one, Mapping)]

    def count(self, name: str) -> int:
        """A counter of `progress` or `stats`; 0 while there is none of that name."""
        return self.find(name) or 0

    def find(self, name: str) -> int | None:
        """A counter of `progress` or `stats`; None while it is not known."""
        progress = self.document.get("progress")
        for place in (progress if isinstance(progress, Mapping) else {}, self.stats):
            value = place.get(name)
            if isinstance(value, int):
                return value
        return None


class EstimateDocument(TypedDict):
    """What a search would fetch, by what arXiv says now; nothing was created."""

    total: int
    estimated_papers: int
    requests: int
    estimated_seconds: float
    search_criteria: Mapping[str, Any]


class PaperDocument(TypedDict):
    """A paper that is held: the newest version seen, and what there is of its PDF."""

    arxiv_id: str
    version: int
    title: str
    abstract: str
    authors: list[str]
    categories: list[str]
    primary_category: str
    published_at: str
    updated_at: str
    doi: str | None
    journal_ref: str | None
    comments: str | None
    license: str | None
    withdrawn: bool
    pdf_state: str
    pdf_path: str | None
    pdf_sha256: str | None
    pdf_bytes: int | None
    page_count: int | None
    text_state: str | None


class FoundPaperDocument(PaperDocument):
    """A paper that a search found: how well it matches, and where."""

    rank: float
    snippet: str


class ChangeDocument(TypedDict):
    """One change of one paper; `token` is its place in the feed."""

    token: str
    at: str
    arxiv_id: str
    version: int
    kind: str
    job_id: str | None


class JobPaperDocument(TypedDict):
    """A paper of a job, with its state in that job."""

    arxiv_id: str
    version: int
    title: str
    state: str
    attempts: int
    failures: int
    reason: str | None
    updated_at: str
    html_state: NotRequired[str]
    html_reason: NotRequired[str | None]


class ReferenceDocument(TypedDict):
    """A reference of a paper; `link` is the path of the paper it names, where that is held."""

    key: str | None
    raw: str
    doi: str | None
    arxiv_id: str | None
    link: str | None


class ErrorGroupDocument(TypedDict):
    """The errors of a job of one stage and code, counted."""

    stage: str
    code: str | None
    count: int
    papers: int
    example: str


class JobEventDocument(TypedDict):
    """One event of a job's timeline; which keys there are depends on `event`."""

    at: str
    event: str
    page: NotRequired[int]
    papers_fetched: NotRequired[int]
    times: NotRequired[int]
    reason: NotRequired[str]
    ended_at: NotRequired[str | None]
    status: NotRequired[str]
    webhook_id: NotRequired[str]
    attempt: NotRequired[int]
    http_status: NotRequired[int | None]
    error: NotRequired[str | None]


class ThroughputPoint(TypedDict):
    """What a job did in the interval that begins at `at`."""

    at: str
    papers: int
    pdfs: int


class ThroughputDocument(TypedDict):
    """A job's throughput over time: intervals of equal length, without gaps."""

    interval_seconds: int
    points: list[ThroughputPoint]


class ScheduleDocument(TypedDict):
    """A recurring harvest, with its next and last run."""

    schedule_id: str
    name: str
    cron: str
    timezone: str
    paused: bool
    request: Mapping[str, Any]
    created_by: str | None
    created_at: str
    next_run_at: str | None
    last_run_at: str | None
    last_job_id: str | None


class WebhookDocument(TypedDict):
    """A subscription to the ends of jobs; its secret is there when it is made, only."""

    webhook_id: str
    url: str
    events: list[str]
    labels: Mapping[str, str]
    paused: bool
    disabled_at: str | None
    disabled_reason: str | None
    created_by: str | None
    created_at: str
    secret: NotRequired[str]


class DeliveryDocument(TypedDict):
    """One attempt to deliver a message."""

    delivery_id: str
    webhook_id: str
    subscription_id: str | None
    job_id: str
    event: str
    url: str
    attempt: int
    status: str
    http_status: int | None
    error: str | None
    created_at: str
    next_attempt_at: str | None
    ended_at: str | None
