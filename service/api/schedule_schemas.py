"""JSON ↔ domain for recurring harvests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.fields import Line, StrictBoolean
from service.api.loading import StrictSchema
from service.api.paging import CursorField, Cursors, PageQuerySchema
from service.api.schemas import IngestionRequestSchema
from service.ingest.cron import MAX_LENGTH, next_run

MAX_NAME_LENGTH = 100
ZONES = ("UTC",)

SCHEDULES = Cursors("schedules", (str,))


class Cron(Line):
    """A cron expression of five fields that comes true some day."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(MAX_LENGTH, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text = super()._deserialize(value, *args, **kwargs)
        try:
            next_run(text, datetime.now(UTC))
        except ValueError:
            raise ValidationError("Not a cron expression of five fields that ever runs.") from None
        return text


class ScheduleChangeSchema(StrictSchema):
    """The body of PATCH /api/v1/schedules/{schedule_id}: what is to be changed."""

    name = Line(MAX_NAME_LENGTH)
    cron = Cron()
    timezone = fields.String(validate=validate.OneOf(ZONES, error="Must be UTC."))
    request = fields.Nested(IngestionRequestSchema)
    paused = StrictBoolean(attribute="is_paused")

    @validates_schema
    def check_not_empty(self, data: Mapping[str, Any], **_: object) -> None:
        """A change changes something."""
        if not data:
            raise ValidationError("At least one field is needed.")


class NewScheduleSchema(StrictSchema):
    """The body of POST /api/v1/schedules."""

    name = Line(MAX_NAME_LENGTH, required=True)
    cron = Cron(required=True)
    timezone = fields.String(
        load_default="UTC", validate=validate.OneOf(ZONES, error="Must be UTC.")
    )
    request = fields.Nested(IngestionRequestSchema, required=True)
    paused = StrictBoolean(load_default=False, attribute="is_paused")


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
    request = fields.Dict(required=True)
    created_by = fields.String(required=True, allow_none=True)
    created_at = fields.String(required=True)
    next_run_at = fields.String(required=True, allow_none=True)
    last_run_at = fields.String(required=True, allow_none=True)
    last_job_id = fields.UUID(required=True, allow_none=True)
