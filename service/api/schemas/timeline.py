"""Schemas of a job's timeline and throughput."""

from typing import Any

from marshmallow import Schema, fields, validate

from service.api.pagination import CursorField, Cursors, PageQuerySchema
from service.api.schemas.fields import said
from service.domain.channels import WaitReason
from service.domain.job_events import JobEventKind
from service.domain.jobs import JobStatus
from service.domain.webhooks import DeliveryStatus

JOB_EVENTS = Cursors("job events", (int,))

# as the service has answered it: the example in the API description
JOB_EVENT_EXAMPLE: dict[str, Any] = {
    "at": "2026-11-22T19:48:43.106475Z",
    "event": "page",
    "page": 1,
    "papers_fetched": 50,
}


class TimelineQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/ingestion/job/{job_id}/timeline."""

    series = fields.String(
        validate=validate.OneOf(("throughput",)),
        metadata=said("`throughput`: papers and PDFs in each interval, in place of events."),
    )
    cursor = CursorField(JOB_EVENTS)


class JobEventSchema(Schema):
    """What happened to a job; keys that do not belong to the event are left out."""

    at = fields.DateTime(required=True, metadata=said("When it happened; the first of several."))
    event = fields.String(required=True, validate=validate.OneOf(list(JobEventKind)))
    page = fields.Integer(metadata=said("Pages of the job so far, this one included."))
    papers_fetched = fields.Integer(metadata=said("Papers of the job fetched with this page."))
    times = fields.Integer(
        metadata=said("How many pages, or waits, this event stands for; left out where it is 1.")
    )
    reason = fields.String(
        validate=validate.OneOf(list(WaitReason)), metadata=said("What the job waited for.")
    )
    ended_at = fields.DateTime(
        allow_none=True,
        metadata=said("When the wait ended, null while it lasts; the last of several pages."),
    )
    status = fields.String(
        validate=validate.OneOf(
            [*(one for one in JobStatus if one.is_final), DeliveryStatus.DELIVERED]
        ),
        metadata=said("How the job finished, or what became of the callback."),
    )
    webhook_id = fields.String(metadata=said("Header `webhook-id` of the callback."))
    attempt = fields.Integer(metadata=said("Which attempt of the callback it was, from 1."))
    http_status = fields.Integer(
        allow_none=True, metadata=said("What the callback's receiver answered, if it did.")
    )
    error = fields.String(
        allow_none=True, metadata=said("Why the callback failed: a stable word; null: it did not.")
    )


class ThroughputPointSchema(Schema):
    """What a job did in one interval."""

    at = fields.DateTime(required=True, metadata=said("When the interval begins."))
    papers = fields.Integer(required=True, metadata=said("Papers fetched."))
    pdfs = fields.Integer(required=True, metadata=said("PDFs whose text was stored."))


class JobThroughputSchema(Schema):
    """A job's throughput over time, without gaps: at most 360 intervals of equal length."""

    interval_seconds = fields.Integer(required=True)
    points = fields.List(fields.Nested(ThroughputPointSchema), required=True)
