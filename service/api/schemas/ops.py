"""Schema of `GET /api/v1/ingestion/overview`, for the OpenAPI document."""

from typing import Any

from marshmallow import Schema, fields

from service.api.schemas.fields import JOB_ID_EXAMPLE
from service.api.schemas.fleet import FLEET_EXAMPLE, ChannelSchema, WorkerSchema
from service.api.schemas.jobs import STATS_EXAMPLE

# as the service has answered it: the example in the API description
OVERVIEW_EXAMPLE: dict[str, Any] = {
    "at": "2026-11-22T19:50:00.106475Z",
    "jobs_by_status": STATS_EXAMPLE["jobs"],
    "papers_by_pdf_state": STATS_EXAMPLE["papers"],
    "jobs": [
        {
            "job_id": JOB_ID_EXAMPLE,
            "status": "running",
            "requested_by": "me",
            "percent": 50.0,
            "papers_fetched": 10,
            "papers_total": 10,
            "pdfs_processed": 5,
            "pdfs_pending": 5,
            "errors_total": 0,
            "papers_per_second": 1.5,
            "eta_seconds": 3.3,
            "age_seconds": 7.2,
            "seen_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "tasks": [
        {
            "kind": "pdf",
            "status": "picked",
            "tasks": 5,
            "oldest_at": "2026-11-22T19:49:53.206475Z",
            "heartbeat_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "channels": FLEET_EXAMPLE["channels"],
    "workers": FLEET_EXAMPLE["workers"],
    "stalls": 0,
    "processes": [
        {
            "name": "arxiv-ingestion api",
            "address": "10.0.0.7",
            "connections": 3,
            "connected_at": "2026-11-22T19:00:00.206475Z",
            "active_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "failing": [
        {
            "job_id": JOB_ID_EXAMPLE,
            "arxiv_id": "2210.00001",
            "title": "A title",
            "reason": "corrupt",
            "attempts": 5,
            "error": "what came is no PDF",
            "failed_at": "2026-11-22T19:48:43.106475Z",
        }
    ],
}


class OverviewJobSchema(Schema):
    """A job, as in the view `job_overview`."""

    job_id = fields.UUID(required=True)
    status = fields.String(required=True)
    requested_by = fields.String(required=True, allow_none=True)
    percent = fields.Float(required=True, allow_none=True)
    papers_fetched = fields.Integer(required=True)
    papers_total = fields.Integer(required=True, allow_none=True)
    pdfs_processed = fields.Integer(required=True)
    pdfs_pending = fields.Integer(required=True)
    errors_total = fields.Integer(required=True)
    papers_per_second = fields.Float(required=True, allow_none=True)
    eta_seconds = fields.Float(required=True, allow_none=True)
    age_seconds = fields.Float(required=True)
    seen_at = fields.DateTime(required=True, allow_none=True)


class OverviewTaskSchema(Schema):
    """Tasks of one kind and status in the queue."""

    kind = fields.String(required=True)
    status = fields.String(required=True)
    tasks = fields.Integer(required=True)
    oldest_at = fields.DateTime(required=True)
    heartbeat_at = fields.DateTime(required=True)


class OverviewProcessSchema(Schema):
    """A part of a process, by its connections to the database."""

    name = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    connections = fields.Integer(required=True)
    connected_at = fields.DateTime(required=True)
    active_at = fields.DateTime(required=True, allow_none=True)


class OverviewFailureSchema(Schema):
    """A paper that failed in a job."""

    job_id = fields.UUID(required=True)
    arxiv_id = fields.String(required=True)
    title = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    failed_at = fields.DateTime(required=True)


class OverviewSchema(Schema):
    """The state of the fleet at one point in time."""

    at = fields.DateTime(required=True)
    jobs_by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    papers_by_pdf_state = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    jobs = fields.List(fields.Nested(OverviewJobSchema), required=True)
    tasks = fields.List(fields.Nested(OverviewTaskSchema), required=True)
    channels = fields.List(fields.Nested(ChannelSchema), required=True)
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    stalls = fields.Integer(required=True)
    processes = fields.List(fields.Nested(OverviewProcessSchema), required=True)
    failing = fields.List(fields.Nested(OverviewFailureSchema), required=True)
