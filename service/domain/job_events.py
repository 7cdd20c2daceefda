"""What happened to a job, event by event, and how fast it went. Values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.domain.channels import WaitReason
from service.domain.jobs import JobStatus
from service.domain.webhooks import DeliveryStatus


class JobEventKind(StrEnum):
    """What a row of the timeline tells."""

    CREATED = "created"
    STARTED = "started"  # a worker took the job up
    PAGE = "page"  # an answer of arXiv (or a part of a snapshot) was stored completely
    WAITING = "waiting"  # it could not go on, see `reason`
    FINISHED = "finished"  # see `status`
    CALLBACK = "callback"  # an attempt to deliver a callback ended, see `status`


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One event; what does not belong to its kind is None.

    Of many pages or waits a row stands for several in a row (`times`): it begins with the
    first of them and ends with the last.
    """

    id: int  # sorts the events of one job by time
    at: datetime
    kind: JobEventKind
    number: int | None = None  # pages and waits of the job so far, the last of this row included
    times: int = 1
    ended_at: datetime | None = None
    papers_fetched: int | None = None  # of the job, when the last page of this row was stored
    reason: WaitReason | None = None
    status: JobStatus | DeliveryStatus | None = None
    webhook_id: str | None = None
    attempt: int | None = None
    http_status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputPoint:
    """What a job did in the interval that begins at `at`: papers fetched, PDFs made text."""

    at: datetime
    papers: int
    pdfs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """The intervals from a job's start to its end (or to now), without a gap."""

    interval_seconds: int
    points: Sequence[ThroughputPoint]
