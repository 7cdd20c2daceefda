"""Schemas around a job: lists, papers of a job, responses."""

from typing import Any

from marshmallow import Schema, fields, validate

from service.api.pagination import CursorField, Cursors, PageQuerySchema
from service.api.schemas.fields import JOB_ID_EXAMPLE, Choices, QueryBoolean, said
from service.api.schemas.ingestion_request import CRITERIA_EXAMPLE
from service.api.schemas.loading import StrictSchema
from service.domain.identifiers import ArxivId
from service.domain.jobs import Stage
from service.domain.papers import HtmlState, PaperState

# as the service has answered it: the example in the API description
RETRY_ID_EXAMPLE = "01a204cf-5b90-73f2-a207-fc1a2b977c8b"
RECORDED_EXAMPLE: dict[str, Any] = {
    "job_id": JOB_ID_EXAMPLE,
    "status": "pending",
    "message": "The ingestion job was created; get its status at the URL in Location",
    "estimated_papers": 10,
    "search_criteria": CRITERIA_EXAMPLE,
}
RETRIED_EXAMPLE: dict[str, Any] = {
    **RECORDED_EXAMPLE,
    "job_id": RETRY_ID_EXAMPLE,
    "retry_of": JOB_ID_EXAMPLE,
}
ESTIMATE_EXAMPLE: dict[str, Any] = {
    "total": 3120,
    "estimated_papers": 10,
    "requests": 1,
    "estimated_seconds": 5.8,
    "search_criteria": CRITERIA_EXAMPLE,
}
CANCELLED_EXAMPLE = {"message": f"Job {JOB_ID_EXAMPLE} cancelled successfully"}
JOB_PAPER_EXAMPLE: dict[str, Any] = {
    "arxiv_id": "2210.00001",
    "version": 1,
    "title": "A title",
    "state": "unavailable",
    "attempts": 1,
    "failures": 0,
    "reason": "unavailable",
    "updated_at": "2026-11-22T19:48:43.106475Z",
}
STATS_EXAMPLE: dict[str, Any] = {
    "as_of": "2026-11-22T19:50:00.106475Z",
    "jobs": {"pending": 0, "running": 1, "completed": 12, "failed": 0, "cancelled": 1},
    "papers": {"none": 0, "downloaded": 2, "processed": 640, "failed": 1, "unavailable": 3},
    "throughput": {
        "last_minute": {"papers": 20, "pdfs": 18},
        "last_hour": {"papers": 640, "pdfs": 612},
    },
    "queue": {
        "harvest": {"high": 0, "normal": 1, "low": 0, "in_work": 0},
        "pdf": {"high": 0, "normal": 4, "low": 0, "in_work": 8},
    },
    "estimated": [],
}


def _paper_id(text: str) -> str:
    return ArxivId.parse(text).paper


JOB_ERRORS = Cursors("job errors", (int,))
JOB_PAPERS = Cursors("job papers", (_paper_id,))


class JobPapersQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/ingestion/job/{job_id}/papers."""

    state = Choices(
        PaperState,
        load_default=lambda: list(PaperState),
        metadata=said("Papers in these states; if not given, in any."),
    )
    cursor = CursorField(JOB_PAPERS)


class JobErrorsQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/ingestion/job/{job_id}/errors."""

    group = fields.String(
        validate=validate.OneOf(("code",)),
        metadata=said("`code`: counts by stage and code, most frequent first, in place of errors."),
    )
    stage = fields.Enum(Stage, by_value=True, metadata=said("Those of this stage."))
    code = fields.String(
        validate=validate.Regexp(r"^[a-z0-9_]{0,100}$", error="Must be a code."),
        metadata=said("Those of this code; empty: those without one."),
    )
    cursor = CursorField(JOB_ERRORS)


class JobErrorOrGroupSchema(Schema):
    """An error of a job, or with `group=code` the errors of one stage and code, counted."""

    stage = fields.String(required=True, validate=validate.OneOf(list(Stage)))
    code = fields.String(allow_none=True, metadata=said("A stable word for programs."))
    timestamp = fields.DateTime(metadata=said("When it happened; not in groups."))
    error = fields.String(metadata=said("What happened; not in groups."))
    arxiv_id = fields.String(metadata=said("The paper, where it is about one; not in groups."))
    attempt = fields.Integer(metadata=said("Which attempt it was; not in groups."))
    line = fields.Integer(metadata=said("The line of a snapshot's file; not in groups."))
    count = fields.Integer(metadata=said("How many there are; in groups only."))
    papers = fields.Integer(metadata=said("How many papers they are about; in groups only."))
    example = fields.String(metadata=said("The latest of them, in words; in groups only."))


class JobPaperSchema(Schema):
    """One paper of a job, with its state in that job."""

    arxiv_id = fields.String(required=True)
    version = fields.Integer(required=True, allow_none=True)
    title = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, validate=validate.OneOf(list(PaperState)))
    attempts = fields.Integer(required=True)
    failures = fields.Integer(required=True)
    reason = fields.String(
        required=True, allow_none=True, metadata=said("A code, where there is something to say.")
    )
    updated_at = fields.DateTime(required=True)
    html_state = fields.String(
        validate=validate.OneOf(list(HtmlState)),
        metadata=said("Of arXiv's HTML; only where that is wanted, like the next."),
    )
    html_reason = fields.String(
        allow_none=True, metadata=said("A code, where it failed or was refused.")
    )


class RecordedSchema(Schema):
    """The answer to a request that recorded a job: a submission, or a retry (`retry_of`)."""

    job_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.Equal("pending"))
    message = fields.String(required=True)
    estimated_papers = fields.Integer(required=True, allow_none=True)
    search_criteria = fields.Dict(
        required=True,
        metadata=said("The object that belongs to the request's source, defaults filled in."),
    )
    retry_of = fields.UUID()


class SubmissionQuerySchema(StrictSchema):
    """Query parameters of POST /api/v1/ingestion/arxiv."""

    dry_run = QueryBoolean(
        load_default=False,
        metadata=said("`true`: say what a search would fetch, and create nothing."),
    )


class EstimateSchema(Schema):
    """What a search would fetch, by what arXiv says now."""

    total = fields.Integer(required=True, metadata=said("Papers that match at arXiv."))
    estimated_papers = fields.Integer(
        required=True, metadata=said("Those of them that the job would ingest at most.")
    )
    requests = fields.Integer(required=True, metadata=said("Pages that arXiv would be asked for."))
    estimated_seconds = fields.Float(
        required=True,
        metadata=said(
            "How long arXiv's rate limit makes it at least, with all papers new and no other"
            " job at work; PDFs and HTML included."
        ),
    )
    search_criteria = fields.Dict(
        required=True, metadata=said("The search query, defaults filled in.")
    )


class MessageSchema(Schema):
    """The answer to a request that ended something."""

    message = fields.String(required=True)


class StatsQuerySchema(Schema):
    """Query parameters of GET /api/v1/ingestion/stats: none."""


class JobTotalsSchema(Schema):
    """Jobs by status."""

    pending = running = completed = failed = cancelled = fields.Integer(required=True)


class PaperTotalsSchema(Schema):
    """Papers by what is held of their PDFs."""

    none = downloaded = processed = failed = unavailable = fields.Integer(required=True)


class RateSchema(Schema):
    """What was done in a stretch of time: papers written, PDFs brought to text."""

    papers = pdfs = fields.Integer(required=True)


class ThroughputSchema(Schema):
    """The latest stretches of time."""

    last_minute = last_hour = fields.Nested(RateSchema, required=True)


class QueueKindSchema(Schema):
    """Tasks of one kind: waiting, by urgency, and in work."""

    high = normal = low = in_work = fields.Integer(required=True)


class QueueSchema(Schema):
    """Tasks by kind."""

    harvest = pdf = fields.Nested(QueueKindSchema, required=True)


class StatsSchema(Schema):
    """The answer to GET /api/v1/ingestion/stats; `estimated` names figures beyond counting."""

    as_of = fields.DateTime(required=True)
    jobs = fields.Nested(JobTotalsSchema, required=True)
    papers = fields.Nested(PaperTotalsSchema, required=True)
    throughput = fields.Nested(ThroughputSchema, required=True)
    queue = fields.Nested(QueueSchema, required=True)
    estimated = fields.List(fields.String(), required=True)
