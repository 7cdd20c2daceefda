"""What `GET /api/v1/ingestion/overview` answers, for the description of the API."""

from marshmallow import Schema, fields


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


class OverviewChannelSchema(Schema):
    """The pace on one lane towards arXiv."""

    lane = fields.String(required=True)
    turns = fields.Integer(required=True)
    refusals = fields.Integer(required=True)
    strikes = fields.Integer(required=True)
    silent_until = fields.DateTime(required=True, allow_none=True)
    is_held = fields.Boolean(required=True)
    silent_seconds = fields.Float(required=True, allow_none=True)


class OverviewProcessSchema(Schema):
    """A part of a process, by its connections to the database."""

    name = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    connections = fields.Integer(required=True)
    connected_at = fields.DateTime(required=True)
    active_at = fields.DateTime(required=True, allow_none=True)


class OverviewFailureSchema(Schema):
    """A paper that a job gave up on."""

    job_id = fields.UUID(required=True)
    arxiv_id = fields.String(required=True)
    title = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    error = fields.String(required=True, allow_none=True)
    failed_at = fields.DateTime(required=True)


class OverviewSchema(Schema):
    """The state of the fleet at one moment."""

    at = fields.DateTime(required=True)
    jobs_by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    papers_by_pdf_state = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    jobs = fields.List(fields.Nested(OverviewJobSchema), required=True)
    tasks = fields.List(fields.Nested(OverviewTaskSchema), required=True)
    lanes = fields.List(fields.Nested(OverviewChannelSchema), required=True)
    processes = fields.List(fields.Nested(OverviewProcessSchema), required=True)
    failing = fields.List(fields.Nested(OverviewFailureSchema), required=True)
