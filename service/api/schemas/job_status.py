"""Schemas of the job status, of problems and of probes, for the OpenAPI document."""

from typing import Any

from marshmallow import Schema, fields, validate

from service.api.schemas.fields import JOB_ID_EXAMPLE, said
from service.api.schemas.ingestion_request import REQUEST_EXAMPLE
from service.domain.channels import WaitReason
from service.domain.jobs import JobStatus, Stage

# as the service has answered it: the example in the API description
_ERRORS = [
    {
        "timestamp": "2026-11-22T19:48:43.106475Z",
        "error": "arXiv has no PDF of this version",
        "stage": "pdf_download",
        "arxiv_id": "2210.00001",
        "code": "unavailable",
        "attempt": 1,
    }
]
JOB_ERROR_EXAMPLE = _ERRORS[0]
STATUS_EXAMPLE: dict[str, Any] = {
    "job_id": JOB_ID_EXAMPLE,
    "status": "completed",
    "progress": {
        "papers_fetched": 10,
        "papers_created": 10,
        "papers_updated": 0,
        "pdfs_downloaded": 9,
        "pdfs_processed": 9,
        "errors": _ERRORS,
    },
    "created_at": "2026-11-22T19:48:42.884717Z",
    "started_at": "2026-11-22T19:48:42.967237Z",
    "completed_at": "2026-11-22T19:48:43.731778Z",
    "errors": _ERRORS,
    "stats": {
        "pages_fetched": 1,
        "papers_total": 10,
        "papers_skipped": 0,
        "pdfs_pending": 0,
        "pdfs_failed": 0,
        "pdfs_unavailable": 1,
        "html_pending": 0,
        "documents": {"html": 0, "pdf": 9},
        "errors_total": 1,
        "resumed": 0,
        "elapsed_seconds": 0.765,
        "eta_seconds": None,
        "request": REQUEST_EXAMPLE,
        "requested_by": "me",
        "labels": {},
    },
}


class JobErrorSchema(Schema):
    """One thing that went wrong in a job."""

    timestamp = fields.DateTime(required=True)
    error = fields.String(required=True)
    stage = fields.String(required=True, validate=validate.OneOf(list(Stage)))
    arxiv_id = fields.String(metadata=said("The paper, where it is about one."))
    code = fields.String(metadata=said("Stable code for programs."))
    attempt = fields.Integer(metadata=said("Which attempt it was."))
    line = fields.Integer(metadata=said("Line of a snapshot's file, from 1."))


class ProgressSchema(Schema):
    """Counters, which never go back; `errors` is the same list as beside `progress`."""

    papers_fetched = fields.Integer(required=True)
    papers_created = fields.Integer(required=True)
    papers_updated = fields.Integer(required=True)
    pdfs_downloaded = fields.Integer(required=True)
    pdfs_processed = fields.Integer(required=True)
    errors = fields.List(fields.Nested(JobErrorSchema), required=True)


class DocumentCountsSchema(Schema):
    """How many papers of a job have a document, by its source."""

    html = fields.Integer(required=True)
    pdf = fields.Integer(required=True)


class JobStatsSchema(Schema):
    """More figures of a job; none of them until a worker has taken it up."""

    pages_fetched = fields.Integer()
    papers_total = fields.Integer(
        allow_none=True, metadata=said("Total number of papers; null until arXiv has reported it.")
    )
    papers_skipped = fields.Integer()
    pdfs_pending = fields.Integer()
    pdfs_failed = fields.Integer()
    pdfs_unavailable = fields.Integer()
    html_pending = fields.Integer(metadata=said("HTML pages still to come."))
    documents = fields.Nested(
        DocumentCountsSchema,
        metadata=said("Papers done with, by what their structured document is made of."),
    )
    errors_total = fields.Integer(metadata=said("All errors, of which the latest 100 are shown."))
    resumed = fields.Integer(metadata=said("How often an expired lease was reclaimed."))
    elapsed_seconds = fields.Float()
    eta_seconds = fields.Float(allow_none=True)
    request = fields.Dict(metadata=said("What was asked for, defaults filled in."))
    requested_by = fields.String(
        allow_none=True, metadata=said("Subject of the token that submitted the job.")
    )
    labels = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata=said("The labels of the request.")
    )
    retry_of = fields.UUID(metadata=said("The job of which this one is a retry."))
    waiting_for = fields.String(
        allow_none=True,
        validate=validate.OneOf(list(WaitReason)),
        metadata=said("What the job waits for; null when it makes progress."),
    )
    waiting_since = fields.DateTime(
        allow_none=True, metadata=said("Since when it waits for that; null when it makes progress.")
    )


class StatusSchema(Schema):
    """The status of a job."""

    job_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(list(JobStatus)))
    progress = fields.Nested(ProgressSchema, required=True)
    created_at = fields.DateTime(required=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    completed_at = fields.DateTime(required=True, allow_none=True)
    errors = fields.List(fields.Nested(JobErrorSchema), required=True)
    stats = fields.Nested(JobStatsSchema, required=True)


class JobDetailsSchema(Schema):
    """What is known of a job from its creation on."""

    request = fields.Dict(required=True, metadata=said("What was asked for, defaults filled in."))
    requested_by = fields.String(required=True, allow_none=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    retry_of = fields.UUID(required=True, allow_none=True)
    schedule_id = fields.UUID(required=True, allow_none=True)
    errors_total = fields.Integer(required=True)
    updated_at = fields.DateTime(required=True, metadata=said("Last activity."))


class ListedStatusSchema(StatusSchema):
    """The status of a job in a list."""

    details = fields.Nested(JobDetailsSchema, metadata=said("With `details=true` only."))


class ProblemSchema(Schema):
    """A problem (RFC 9457)."""

    type = fields.String(required=True, validate=validate.Regexp(r"/problems/[a-z_]+$"))
    title = fields.String(required=True, metadata=said("Reason phrase of the HTTP status."))
    status = fields.Integer(required=True, validate=validate.Range(400, 599))
    detail = fields.String(required=True, metadata=said("What is wrong, in a fixed safe text."))
    code = fields.String(required=True, metadata=said("Stable code for programs."))
    request_id = fields.String(required=True, metadata=said("Request id, as in the log."))
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata=said("What is wrong with each field, by its dotted name."),
    )


class WarningSchema(Schema):
    """What is out of order, though requests can be served."""

    code = fields.String(
        required=True,
        validate=validate.OneOf(("database_read_only", "no_worker")),
        metadata=said("What it is."),
    )
    since = fields.String(required=True, metadata=said("Since when, or since it was first seen."))


class ReadinessSchema(Schema):
    """What readiness answers when requests can be served."""

    status = fields.String(required=True, validate=validate.Equal("ready"))
    warnings = fields.List(fields.Nested(WarningSchema), required=True)


class ProbeSchema(Schema):
    """What a probe answers when all is well."""

    status = fields.String(required=True, validate=validate.OneOf(("alive", "ready")))
