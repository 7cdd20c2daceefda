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
    "caller": {"subject": "me", "may_write": True, "may_operate": True},
    "limits": {
        "api_requests_per_minute": 20.0,
        "pdfs_per_minute": 240.0,
        "html_requests_per_minute": 4.0,
    },
    "requests": [{"channel": "api", "requests": 4711, "by_status": {"429": 2}}],
    "database": {
        "bytes": 104857600,
        "pool": {"size": 10, "in_use": 1, "waiting": 0},
        "tables": [
            {
                "name": "papers",
                "bytes": 41943040,
                "rows": 25000,
                "dead_rows": 120,
                "vacuumed_at": "2026-11-22T19:40:00.106475Z",
            }
        ],
    },
    "freshness": {"stored_at": "2026-11-22T19:48:43.106475Z", "datestamp": "2026-11-21"},
    "audited_sets": ["", "cs:cs:AI"],
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


class OverviewCallerSchema(Schema):
    """Who asks, and what the scopes of the token permit."""

    subject = fields.String(required=True)
    may_write = fields.Boolean(required=True)
    may_operate = fields.Boolean(required=True)


class OverviewLimitsSchema(Schema):
    """What arXiv permits the fleet, as configured."""

    api_requests_per_minute = fields.Float(required=True)
    pdfs_per_minute = fields.Float(required=True)
    html_requests_per_minute = fields.Float(required=True)


class OverviewRequestsSchema(Schema):
    """Requests on one channel to arXiv, ever; `by_status` those that were refused."""

    channel = fields.String(required=True)
    requests = fields.Integer(required=True)
    by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class OverviewPoolSchema(Schema):
    """Database connections of the process that answers; `waiting` transactions have none."""

    size = fields.Integer(required=True)
    in_use = fields.Integer(required=True)
    waiting = fields.Integer(required=True)


class OverviewTableSchema(Schema):
    """A table with its indexes; rows are estimates."""

    name = fields.String(required=True)
    bytes = fields.Integer(required=True)
    rows = fields.Integer(required=True)
    dead_rows = fields.Integer(required=True)
    vacuumed_at = fields.DateTime(required=True, allow_none=True)


class OverviewDatabaseSchema(Schema):
    """Size, pool and largest tables."""

    bytes = fields.Integer(required=True)
    pool = fields.Nested(OverviewPoolSchema, required=True)
    tables = fields.List(fields.Nested(OverviewTableSchema), required=True)


class OverviewFreshnessSchema(Schema):
    """When a paper was last stored; the newest datestamp of the papers stored lately."""

    stored_at = fields.DateTime(required=True, allow_none=True)
    datestamp = fields.Date(required=True, allow_none=True)


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
    limits = fields.Nested(OverviewLimitsSchema, required=True)
    requests = fields.List(fields.Nested(OverviewRequestsSchema), required=True)
    database = fields.Nested(OverviewDatabaseSchema, required=True)
    freshness = fields.Nested(OverviewFreshnessSchema, required=True)
    audited_sets = fields.List(fields.String(), required=True)
    caller = fields.Nested(OverviewCallerSchema, required=True)
