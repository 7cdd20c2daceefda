"""Lists of jobs by what callers know of them: by whom, labels, words of the request, time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Uuid, func, literal, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.job_rows import JobState, job_rows
from service.db.tables import jobs
from service.domain.jobs import JobStatus

# One word in any value of a request, keys not counted. A request is some hundred bytes.
_HAS_WORD = (
    "EXISTS (SELECT FROM jsonb_path_query(jobs.request, '$.**') AS found (value)"
    " WHERE jsonb_typeof(value) NOT IN ('object', 'array')"
    " AND strpos(lower(value #>> '{{}}'), lower(:{name})) > 0)"
)


class JobSort(StrEnum):
    """Orders of lists of jobs; `-` is the newest first."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    LEAST_RECENT = "updated_at"
    MOST_RECENT = "-updated_at"

    @property
    def column(self) -> str:
        """The column that it sorts by."""
        return self.value.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        """Whether the newest comes first."""
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What jobs must be; what is not given matches any. `created_before` is exclusive."""

    statuses: Sequence[JobStatus] = ()
    requested_by: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    schedule_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    words: Sequence[str] = ()
    ids: Sequence[UUID] = ()


class JobListStore:
    """Reading `jobs` by a filter, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_page(
        self,
        wanted: JobFilter,
        sort: JobSort,
        *,
        limit: int,
        behind: tuple[datetime, UUID] | None = None,
    ) -> list[JobState]:
        """At most `limit` jobs in that order, from behind the job of that moment and id."""
        moment = jobs.c[sort.column]
        order = [moment.desc(), jobs.c.id.desc()] if sort.is_descending else [moment, jobs.c.id]
        statement = job_rows().where(*_conditions(wanted)).order_by(*order).limit(limit)
        if behind is not None:
            key = tuple_(literal(behind[0], DateTime(timezone=True)), literal(behind[1], Uuid()))
            place = tuple_(moment, jobs.c.id)
            statement = statement.where(place < key if sort.is_descending else place > key)
        return [row.state for row in (await self._conn.execute(statement)).all()]


def _conditions(wanted: JobFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.statuses:
        yield jobs.c.status.in_(wanted.statuses)
    if wanted.requested_by is not None:
        yield jobs.c.requested_by == wanted.requested_by
    if wanted.labels:
        yield jobs.c.request.has_key("labels")  # as the index has it
        yield jobs.c.request["labels"].op("@>")(literal(dict(wanted.labels), JSONB))
    if wanted.source is not None:
        yield func.coalesce(jobs.c.request["source"].astext, "search") == wanted.source
    if wanted.schedule_id is not None:
        yield jobs.c.schedule_id == wanted.schedule_id
    if wanted.created_after is not None:
        yield jobs.c.created_at >= wanted.created_after
    if wanted.created_before is not None:
        yield jobs.c.created_at < wanted.created_before
    if wanted.ids:
        yield jobs.c.id.in_(wanted.ids)
    for number, word in enumerate(wanted.words):
        name = f"word_{number}"
        condition = text(_HAS_WORD.format(name=name)).bindparams(**{name: word})
        yield condition  # type: ignore[misc]  # a text is a condition as good as any
