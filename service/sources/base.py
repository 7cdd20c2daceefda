"""Interface of a source of papers: a first checkpoint, then one step after another.

A source turns a checkpoint into a batch of what came and the checkpoint behind
it. It writes nothing: the harvest stores the batch and moves the checkpoint in
one transaction, and queues what follows. So a step may run twice, and must then
bring the same (or what has become of it). What a checkpoint's `state` holds is
the business of the source alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from service.arxiv.pace import Requester
from service.domain.checkpoint import Checkpoint
from service.domain.coverage import ListedDay
from service.domain.jobs import IngestionRequest
from service.domain.papers import EntryError, Paper

NO_DELAY = timedelta(0)

T = TypeVar("T")


class HeldReader(Protocol):
    """What is held already, as far as sources ask; each call is a short transaction."""

    async def versions(self, arxiv_ids: Sequence[str]) -> Mapping[str, int]:
        """The version held of each of these papers (ids without version) that is held."""
        ...

    async def datestamps(self, arxiv_ids: Sequence[str]) -> Mapping[str, date | None]:
        """The datestamp of each of these papers that is held; None where it is not known."""
        ...

    async def told_by_lines(self, digests: Mapping[str, UUID], job_id: UUID) -> Mapping[str, bool]:
        """Of papers, each with a digest of a snapshot's line: those that this line told last.

        By id, whether `job_id` has stored the paper itself.
        """
        ...

    async def outdated(
        self, *, after: str, limit: int, pdf: str, html: str
    ) -> tuple[Sequence[str], str | None]:
        """Of the next `limit` papers held behind the id `after`: whose documents are outdated.

        And the last of those papers; None at the end. `pdf` and `html`: today's converters.
        """
        ...

    async def unfinished(self, job_id: UUID, *, after: str, limit: int) -> Sequence[str]:
        """Papers that the job which `job_id` retries did not finish, by id, behind `after`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestContext:
    """For whom a step is made: the job, what it asked for, and what may be read.

    `requester` goes with each request to arXiv.
    """

    job_id: UUID
    request: IngestionRequest
    held: HeldReader
    requester: Requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step brought.

    `records` are in the source's order; of several records of one paper the
    newest version counts. `errors` are entries that could not be read and papers
    that were asked for in vain. `held` are ids of papers (with a version, if that was
    asked for) that are held and whose files the job is to have. `facts` are shown in the job's
    `stats` under their names; later ones replace earlier ones. `days` are days
    that were listed whole. Records of papers in `again` came before in this job, so
    that they do not count; they are stored all the same. `untold`: errors that are only
    counted. `healed`: papers among the records that a listed day lacks (`missing`), or
    has in an older state (`stale`). `unchanged`: papers that came, are held just as they came, and
    were not stored by the job before; they are none of the records.
    """

    records: Sequence[Paper] = ()
    errors: Sequence[EntryError] = ()
    held: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    days: Sequence[ListedDay] = ()
    again: frozenset[str] = frozenset()
    untold: int = 0
    healed: Mapping[str, tuple[date, str]] = field(default_factory=dict)
    unchanged: Sequence[str] = ()

    @property
    def papers(self) -> int:
        """How many papers came."""
        return len(self.records) + len(self.unchanged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How many distinct papers a job must have met once its list has ended.

    Papers of the jobs that it retries count. Where `is_certain` too few fail the
    job, which a retry then goes on with from `again`; else they are an error of a
    job that completes.
    """

    papers: int
    is_certain: bool
    again: Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one checkpoint to the next.

    `following` may not be taken up before `delay` has passed. `total`: papers that
    the whole job will bring, as far as known by now. `is_page`: the step is an
    answer of arXiv's. `repeated`: nothing came, and the same is to be asked for
    again (`Checkpoint.repeats` tells the source how often that was so in a row).
    `run`: for how long steps may follow each other in one task, where they wait for nobody,
    if that is longer than usual.
    """

    batch: Batch = field(default_factory=Batch)
    following: Checkpoint
    total: int | None = None
    expected: Expected | None = None
    delay: timedelta = NO_DELAY
    is_page: bool = True
    repeated: bool = False
    run: timedelta = NO_DELAY


class Source(Protocol):
    """Where papers come from. One object serves all jobs of a process."""

    @property
    def name(self) -> str:
        """What its checkpoints are tagged with."""
        ...

    def serves(self, request: IngestionRequest, /) -> bool:
        """Whether jobs with this request begin with this source."""
        ...

    def first(self, request: IngestionRequest, /) -> Checkpoint:
        """Where a new job begins."""
        ...

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The step from `checkpoint`, which this source has made; no transaction is open.

        Raises ValueError for a checkpoint of an unknown form, and what the tree
        in `domain.errors` has for what went wrong.
        """
        ...


def read_state(checkpoint: Checkpoint, format_: int, read: Callable[..., T]) -> T:
    """What `read` makes of the entries of a checkpoint's state, which is of the form `format_`.

    Raises ValueError for a state of another form, and for entries that do not fit it.
    """
    if checkpoint.format != format_:
        raise ValueError("the stored checkpoint is of another version")
    try:
        return read(**checkpoint.state)
    except TypeError as err:
        raise ValueError("the stored checkpoint cannot be read") from err


def utc_now() -> datetime:
    """The moment, by this machine's clock (aware)."""
    return datetime.now(UTC)
