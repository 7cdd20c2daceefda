"""Schemas of schedules (recurring ingestion jobs)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validates_schema

from service.api.pagination import CursorField, Cursors, PageQuerySchema, exact_moment
from service.api.schemas.fields import (
    JOB_ID_EXAMPLE,
    SCHEDULE_ID_EXAMPLE,
    Keywords,
    SingleLineString,
    StrictBoolean,
    TimeZone,
    said,
)
from service.api.schemas.ingestion_request import CRITERIA_EXAMPLE, REQUEST_EXAMPLE
from service.api.schemas.loading import StrictSchema
from service.api.schemas.scheduled_request import ScheduledRequestField
from service.jobs.cron import MAX_LENGTH, UTC_ZONE, next_run

MAX_NAME_LENGTH = 100
UNIQUE = "There is one schedule of a name."
FIVE_FIELDS = "Minute, hour, day of month, month, day of week; by the clocks of `timezone`."
ZONE = "IANA time zone that `cron` counts in."
REQUEST = "What each of its jobs asks for; dates may be words, as in `last_success`."
NEVER_RUNS = "A paused schedule does not run, and does not catch up later."

SCHEDULES = Cursors("schedules", (str,))
RUNS = Cursors("schedule runs", (exact_moment, UUID))

# as the service has answered it: the example in the API description
NEW_SCHEDULE_EXAMPLE: dict[str, Any] = {
    "name": "AI every night",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "request": {"search_query": {"category": "cs.AI", "from_date": "last_success"}},
}
SCHEDULE_EXAMPLE: dict[str, Any] = {
    "schedule_id": SCHEDULE_ID_EXAMPLE,
    "name": "AI every night",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "paused": False,
    "request": {
        **REQUEST_EXAMPLE,
        "search_query": {**CRITERIA_EXAMPLE, "from_date": "last_success"},
    },
    "created_by": "me",
    "created_at": "2026-11-22T19:48:42.884717Z",
    "next_run_at": "2026-11-23T02:00:00Z",
    "last_run_at": None,
    "last_job_id": None,
}
RUN_EXAMPLE = {"job_id": JOB_ID_EXAMPLE}
REMOVED_EXAMPLE = {"message": f"Schedule {SCHEDULE_ID_EXAMPLE} removed successfully"}


class Cron(SingleLineString):
    """A cron expression of five fields that comes true some day."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(MAX_LENGTH, **kwargs)
        self.keywords = {
            "type": "string",
            "format": "cron",
            "maxLength": MAX_LENGTH,
            "pattern": r"^\s*[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4}\s*$",
        }

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text = super()._deserialize(value, *args, **kwargs)
        try:
            next_run(text, datetime.now(UTC))
        except ValueError:
            raise ValidationError("Not a cron expression of five fields that ever runs.") from None
        return text


class ScheduleChangeSchema(StrictSchema):
    """The body of PATCH /api/v1/schedules/{schedule_id}: what is to be changed."""

    keywords: ClassVar[Keywords] = {"minProperties": 1}

    name = SingleLineString(MAX_NAME_LENGTH, metadata=said(UNIQUE))
    cron = Cron(metadata=said(FIVE_FIELDS))
    timezone = TimeZone(metadata=said(ZONE))
    request = ScheduledRequestField(metadata=said(REQUEST))
    paused = StrictBoolean(attribute="is_paused", metadata=said(NEVER_RUNS))

    @validates_schema
    def check_not_empty(self, data: Mapping[str, Any], **_: object) -> None:
        """A change changes something."""
        if not data:
            raise ValidationError("At least one field is needed.")


class NewScheduleSchema(StrictSchema):
    """The body of POST /api/v1/schedules."""

    name = SingleLineString(MAX_NAME_LENGTH, required=True, metadata=said(UNIQUE))
    cron = Cron(required=True, metadata=said(FIVE_FIELDS))
    timezone = TimeZone(load_default=UTC_ZONE, metadata=said(ZONE))
    request = ScheduledRequestField(required=True, metadata=said(REQUEST))
    paused = StrictBoolean(load_default=False, attribute="is_paused", metadata=said(NEVER_RUNS))


class SchedulesQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/schedules."""

    cursor = CursorField(SCHEDULES)


class RunsQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/schedules/{schedule_id}/jobs."""

    cursor = CursorField(RUNS)


class RunSchema(Schema):
    """The answer to a request that ran a schedule."""

    job_id = fields.UUID(required=True)


class ScheduleSchema(Schema):
    """A schedule as it is shown; moments as in the status of a job."""

    schedule_id = fields.UUID(required=True)
    name = fields.String(required=True)
    cron = fields.String(required=True)
    timezone = fields.String(required=True, metadata=said(ZONE))
    paused = fields.Boolean(required=True)
    request = fields.Dict(
        required=True, metadata=said("What each of its jobs asks for, defaults filled in.")
    )
    created_by = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    next_run_at = fields.DateTime(required=True, allow_none=True)
    last_run_at = fields.DateTime(required=True, allow_none=True)
    last_job_id = fields.UUID(required=True, allow_none=True)
