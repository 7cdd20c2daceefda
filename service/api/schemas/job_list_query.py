"""Query parameters of the list of jobs: filters, order, page."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields, validate

from service.api.pagination import CursorField, Cursors, PageQuerySchema, exact_moment
from service.api.schemas.fields import (
    Choices,
    Moment,
    QueryBoolean,
    Repeated,
    SingleLineString,
    said,
)
from service.api.schemas.labels import KEY_PATTERN, MAX_LABELS, MAX_VALUE_LENGTH, require_label
from service.db.job_lists import JobFilter, JobSort
from service.domain.jobs import ACTIVE_STATUSES, JobStatus

MAX_WORDS_LENGTH = 200
MAX_WORDS = 10
MAX_SUBJECT_LENGTH = 255
MAX_IDS = 100

JOBS = Cursors("jobs", (JobSort, exact_moment, UUID))

StatusChoice = StrEnum(  # type: ignore[misc]  # made of another enum
    "StatusChoice", {**{one.name: one.value for one in JobStatus}, "ALL": "all"}
)


class LabelMatch(fields.Field[tuple[str, str]]):
    """`key:value`; the value may hold further colons."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.keywords = {
            "type": "string",
            "format": "label",
            "pattern": f"^{KEY_PATTERN}:",
            "maxLength": 64 + MAX_VALUE_LENGTH,
        }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, str]:  # noqa: ANN401
        key, mark, text = str(value).partition(":")
        if not mark:
            raise ValidationError("Must be key:value.")
        require_label(key, text)
        return key, text


class JobsQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/ingestion/jobs."""

    status = Choices(
        StatusChoice,
        metadata=said("Jobs in these states, or `all`; if not given, pending and running ones."),
    )
    requested_by = SingleLineString(
        MAX_SUBJECT_LENGTH, metadata=said("Jobs that this caller submitted.")
    )
    label = Repeated(
        LabelMatch(),
        most=MAX_LABELS,
        metadata=said("Jobs with this label, `key:value`; repeated: with all of them."),
    )
    source = fields.String(
        validate=validate.Length(1, 20), metadata=said("Jobs of this source, such as `search`.")
    )
    schedule_id = fields.UUID(metadata=said("Jobs that this schedule submitted."))
    created_after = Moment(metadata=said("Jobs created at this moment or later (RFC 3339)."))
    created_before = Moment(metadata=said("Jobs created before this moment (RFC 3339)."))
    q = SingleLineString(
        MAX_WORDS_LENGTH,
        metadata=said("Jobs whose request, labels included, has all these words; any case."),
    )
    id = Repeated(
        fields.UUID(),
        most=MAX_IDS,
        metadata=said("These jobs, in any state; unknown ones are left out. May be repeated."),
    )
    sort = fields.Enum(
        JobSort,
        by_value=True,
        load_default=JobSort.NEWEST,
        metadata=said("By which moment; with `-` the newest first."),
    )
    details = QueryBoolean(
        load_default=False,
        metadata=said("Whether each job comes with `details`: its request, even while pending."),
    )
    cursor = CursorField(JOBS)


def statuses_of(query: dict[str, Any]) -> tuple[JobStatus, ...]:
    """The states asked for; without any: the active ones, or all where jobs are named by id."""
    if "status" not in query:
        return () if "id" in query else ACTIVE_STATUSES
    if "all" in query["status"]:
        return ()
    return tuple(JobStatus(one) for one in query["status"])


def job_filter_of(query: dict[str, Any]) -> JobFilter | None:
    """The filter among loaded query parameters; raises ValidationError; None: nothing can match."""
    words = query.get("q", "").split()
    if len(words) > MAX_WORDS:
        raise ValidationError(f"At most {MAX_WORDS} words.", "q")
    labels = query.get("label", ())
    if len(dict(labels)) < len(set(labels)):
        return None  # one key, two values: no job has that
    return JobFilter(
        statuses=statuses_of(query),
        requested_by=query.get("requested_by"),
        labels=dict(labels),
        source=query.get("source"),
        schedule_id=query.get("schedule_id"),
        created_after=query.get("created_after"),
        created_before=query.get("created_before"),
        words=words,
        ids=query.get("id", ()),
    )


def behind_of(query: dict[str, Any]) -> tuple[datetime, UUID] | None:
    """Where the page begins; raises ValidationError for a cursor of another order."""
    if "cursor" not in query:
        return None
    sort, moment, job_id = query["cursor"]
    if sort != query["sort"]:
        raise ValidationError("Not a cursor of this order.", "cursor")
    return moment, job_id
