"""Schemas of schedules (recurring ingestion jobs)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.pagination import CursorField, Cursors, PageQuerySchema
from service.api.schemas.fields import (
    SCHEDULE_ID_EXAMPLE,
    Keywords,
    SingleLineString,
    StrictBoolean,
    said,
)
from service.api.schemas.ingestion_request import REQUEST_EXAMPLE, IngestionRequestSchema
from service.api.schemas.loading import StrictSchema
from service.jobs.cron import MAX_LENGTH, next_run

MAX_NAME_LENGTH = 100
ZONES = ("UTC",)
UNIQUE = "There is one schedule of a name."
FIVE_FIELDS = "Minute, hour, day of month, month, day of week; in UTC."
NEVER_RUNS = "A paused schedule does not run, and does not catch up later."

SCHEDULES = Cursors("schedules", (str,))

# as the service has answered it: the example in the API description
NEW_SCHEDULE_EXAMPLE: dict[str, Any] = {
    "name": "AI every night",
    "cron": "0 3 * * *",
    "request": {"search_query": {"category": "cs.AI"}},
}
SCHEDULE_EXAMPLE: dict[str, Any] = {
    "schedule_id": SCHEDULE_ID_EXAMPLE,
    "name": "AI every night",
    "cron": "0 3 * * *",
    "timezone": "UTC",
    "paused": False,
    "request": REQUEST_EXAMPLE,
    "created_by": "me",
    "created_at": "2026-11-22T19:48:42.884717Z",
    "next_run_at": "2026-11-23T03:00:00Z",
    "last_run_at": None,
    "last_job_id": None,
}
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
    timezone = fields.String(validate=validate.OneOf(ZONES, error="Must be UTC."))
    request = fields.Nested(IngestionRequestSchema)
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
    timezone = fields.String(
        load_default="UTC", validate=validate.OneOf(ZONES, error="Must be UTC.")
    )
    request = fields.Nested(IngestionRequestSchema, required=True)
    paused = StrictBoolean(load_default=False, attribute="is_paused", metadata=said(NEVER_RUNS))


class SchedulesQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/schedules."""

    cursor = CursorField(SCHEDULES)


class ScheduleSchema(Schema):
    """A schedule as it is shown; moments as in the status of a job."""

    schedule_id = fields.UUID(required=True)
    name = fields.String(required=True)
    cron = fields.String(required=True)
    timezone = fields.String(required=True, validate=validate.OneOf(ZONES))
    paused = fields.Boolean(required=True)
    request = fields.Dict(
        required=True, metadata=said("What each of its jobs asks for, defaults filled in.")
    )
    created_by = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    next_run_at = fields.DateTime(required=True, allow_none=True)
    last_run_at = fields.DateTime(required=True, allow_none=True)
    last_job_id = fields.UUID(required=True, allow_none=True)
