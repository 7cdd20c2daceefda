"""What is said of every route: the table that the description of the API is made from.

One row for each method and path of `routes.py`; HEAD goes with GET. A test
compares the two.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema

from service.api.handlers.job_events import EVENT
from service.api.negotiation import JSON, NDJSON, PLAIN_TEXT
from service.api.openapi import examples
from service.api.openapi.operation import Answer, Content, Operation
from service.api.schemas.ingestion_request import IngestionRequestSchema
from service.api.schemas.job_status import ProbeSchema, ReadinessSchema, StatusSchema
from service.api.schemas.jobs import (
    JobPaperSchema,
    JobPapersQuerySchema,
    JobsQuerySchema,
    MessageSchema,
    RecordedSchema,
    StatsQuerySchema,
    StatsSchema,
)
from service.api.schemas.ops import OverviewSchema
from service.api.schemas.papers import PaperQuerySchema, PaperSchema, TextSchema
from service.api.schemas.schedules import (
    NewScheduleSchema,
    ScheduleChangeSchema,
    ScheduleSchema,
    SchedulesQuerySchema,
)

JOBS, PAPERS, SCHEDULES = "jobs", "papers", "schedules"
OPERATIONS, DESCRIPTION = "operations", "description"
TAGS = {
    JOBS: "Asking for a slice of arXiv, and following how far it is.",
    PAPERS: "What was brought in.",
    SCHEDULES: "The same request, again and again.",
    OPERATIONS: "For those who run the service.",
    DESCRIPTION: "This document, and the page that shows it.",
}
TEXT: Mapping[str, Any] = {"type": "string"}
# A stream is text; tools that take it apart find objects of these fields.
EVENTS: Mapping[str, Any] = {
    "type": ["string", "object"],
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"const": EVENT},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
NO_JOB, NO_PAPER, NO_SCHEDULE = "Job not found", "Paper not found", "Schedule not found"
NOT_MODIFIED = Answer(description="Nothing has changed since.", headers=("ETag",))
OF_NEW_JOB = {"job_id": "$response.body#/job_id"}
OF_NEW_SCHEDULE = {"schedule_id": "$response.body#/schedule_id"}


def _json(
    description: str,
    schema: type[Schema],
    example: object,
    *,
    headers: Sequence[str] = (),
    links: Mapping[str, Mapping[str, str]] | None = None,
) -> Answer:
    content = {JSON: Content(schema, example)}
    return Answer(description=description, content=content, headers=headers, links=links or {})


def _page(schema: type[Schema], example: object) -> Answer:
    content = {JSON: Content(schema, [example], many=True)}
    return Answer(description="A page.", content=content, headers=("Link",))


def _file(kind: str, description: str, *, example: str, headers: tuple[str, ...] = ()) -> Answer:
    return Answer(description=description, content={kind: Content(TEXT, example)}, headers=headers)


def _recorded(example: object) -> Answer:
    follow = ("getJob", "cancelJob", "retryJob", "listJobPapers", "streamJob")
    links = dict.fromkeys(follow, OF_NEW_JOB)
    return _json("Recorded.", RecordedSchema, example, headers=("Location",), links=links)


TABLE = (
    Operation(
        route="POST /api/v1/ingestion/arxiv",
        name="createJob",
        tag=JOBS,
        summary="Record a job",
        description=(
            "Records a job and answers at once; a worker does the work. With `Idempotency-Key`"
            " the same caller may repeat the request, and gets the same job."
        ),
        headers=("Idempotency-Key",),
        body=Content(IngestionRequestSchema, examples.SUBMISSION),
        answers={202: _recorded(examples.RECORDED)},
        problems={422: "The request is invalid: search_query.from_day"},
    ),
    Operation(
        route="GET /api/v1/ingestion/jobs",
        name="listJobs",
        tag=JOBS,
        summary="List jobs",
        description=(
            "Jobs, newest first: the active ones (pending, running), or those of `status`."
            " Without any parameter all active jobs come at once, up to 1,000."
        ),
        query=JobsQuerySchema,
        answers={200: _page(StatusSchema, examples.STATUS)},
    ),
    Operation(
        route="GET /api/v1/ingestion/job/{job_id}",
        name="getJob",
        tag=JOBS,
        summary="Show how far a job is",
        description=(
            "The committed row. With `Prefer: wait=N` the answer comes as soon as the job differs"
            " from the ETag in `If-None-Match`, or after N seconds (60 at most)."
        ),
        headers=("If-None-Match", "Prefer"),
        answers={
            200: _json(
                "The status.",
                StatusSchema,
                examples.STATUS,
                headers=("ETag", "Preference-Applied"),
            ),
            304: NOT_MODIFIED,
        },
        problems={404: NO_JOB, 500: "Failed to get job status: the database is not available"},
    ),
    Operation(
        route="DELETE /api/v1/ingestion/job/{job_id}",
        name="cancelJob",
        tag=JOBS,
        summary="Cancel a job",
        description="Work in progress stops within seconds. The job stays, and can be looked at.",
        answers={200: _json("Cancelled.", MessageSchema, examples.CANCELLED)},
        problems={404: NO_JOB, 409: "The job is already completed"},
    ),
    Operation(
        route="POST /api/v1/ingestion/job/{job_id}/retry",
        name="retryJob",
        tag=JOBS,
        summary="Bring in what a final job did not",
        description=(
            "Records a new job for the failed papers of a final one, and for the rest of its list"
            " if that was not harvested to its end. Takes no body, or `{}`."
        ),
        headers=("Idempotency-Key",),
        body=Content({"type": "object", "additionalProperties": False}, {}),
        needs_body=False,
        answers={202: _recorded(examples.RETRIED)},
        problems={404: NO_JOB, 409: "The job has no failed papers"},
    ),
    Operation(
        route="GET /api/v1/ingestion/job/{job_id}/papers",
        name="listJobPapers",
        tag=JOBS,
        summary="List the papers of a job",
        description="By id, each with its state in this job.",
        query=JobPapersQuerySchema,
        answers={200: _page(JobPaperSchema, examples.JOB_PAPER)},
        problems={404: NO_JOB},
    ),
    Operation(
        route="GET /api/v1/ingestion/job/{job_id}/events",
        name="streamJob",
        tag=JOBS,
        summary="Follow a job",
        description=(
            "Server-Sent Events named `status`: the state now, then every change, until the job is"
            " final, the token expires or the process stops. Their data is the status as JSON,"
            " their id the number in its ETag; `Last-Event-ID` resumes behind it."
        ),
        headers=("Last-Event-ID",),
        answers={
            200: Answer(
                description="The stream.",
                content={"text/event-stream": Content(EVENTS, examples.EVENTS)},
            ),
            204: Answer(description="Nothing is left to come."),
        },
        problems={404: NO_JOB},
    ),
    Operation(
        route="GET /api/v1/ingestion/stats",
        name="getStats",
        tag=OPERATIONS,
        summary="Totals, throughput and queue",
        description="Up to a second old. Totals that are estimates are named in `estimated`.",
        query=StatsQuerySchema,
        answers={200: _json("The figures.", StatsSchema, examples.STATS)},
    ),
    Operation(
        route="GET /api/v1/ingestion/overview",
        name="getOverview",
        tag=OPERATIONS,
        summary="The state of the fleet",
        description="What the operators' page shows, of one moment.",
        answers={200: _json("The state.", OverviewSchema, examples.OVERVIEW)},
    ),
    Operation(
        route="GET /api/v1/papers",
        name="listPapers",
        tag=PAPERS,
        summary="List papers",
        description=(
            "Papers that match all that is given, last submitted first: in pages, or with"
            f" `Accept: {NDJSON}` all at once, a JSON object on each line (then without `limit`)."
        ),
        query=PaperQuerySchema,
        answers={
            200: Answer(
                description="A page, or all of them.",
                content={
                    JSON: Content(PaperSchema, [examples.PAPER], many=True),
                    NDJSON: Content(TEXT, '{"arxiv_id":"2301.00001","version":1, …}\n'),
                },
                headers=("Link", "Vary"),
            )
        },
        problems={406: "None of the media types in Accept can be answered at this path"},
    ),
    Operation(
        route="GET /api/v1/papers/{arxiv_id}",
        name="getPaper",
        tag=PAPERS,
        summary="Show a paper",
        description="Metadata of the newest version seen, and what is held of its PDF.",
        answers={200: _json("The paper.", PaperSchema, examples.PAPER)},
        problems={404: NO_PAPER},
    ),
    Operation(
        route="GET /api/v1/papers/{arxiv_id}/pdf",
        name="getPdf",
        tag=PAPERS,
        summary="Download the PDF",
        description=(
            "The file that is held; its ETag is its SHA-256. One range can be asked for; several,"
            " or what is not understood, is ignored."
        ),
        headers=("Range", "If-Range", "If-Match", "If-None-Match"),
        answers={
            200: _file(
                "application/pdf",
                "The whole file.",
                example="%PDF-1.7 …",
                headers=("ETag", "Accept-Ranges", "Content-Disposition"),
            ),
            206: _file(
                "application/pdf",
                "The range.",
                example="PDF-1.7 …",
                headers=("ETag", "Accept-Ranges", "Content-Disposition", "Content-Range"),
            ),
            304: NOT_MODIFIED,
        },
        problems={
            404: "The PDF of this paper has not been fetched",
            412: "The content is another than the one in If-Match",
            416: "The file has no byte in this range",
        },
    ),
    Operation(
        route="GET /api/v1/papers/{arxiv_id}/text",
        name="getText",
        tag=PAPERS,
        summary="Show the text of the PDF",
        description=f"Plain, or with `Accept: {JSON}` in JSON.",
        headers=("If-Match", "If-None-Match"),
        answers={
            200: Answer(
                description="The text.",
                content={
                    PLAIN_TEXT: Content(TEXT, examples.TEXT["text"]),
                    JSON: Content(TextSchema, examples.TEXT),
                },
                headers=("ETag", "Vary", "X-Text-Truncated", "X-Page-Count"),
            ),
            304: NOT_MODIFIED,
        },
        problems={
            404: "The text of this paper has not been extracted",
            406: "None of the media types in Accept can be answered at this path",
            412: "The content is another than the one in If-Match",
        },
    ),
    Operation(
        route="GET /api/v1/schedules",
        name="listSchedules",
        tag=SCHEDULES,
        summary="List schedules",
        description="All of them, by name.",
        query=SchedulesQuerySchema,
        answers={200: _page(ScheduleSchema, examples.SCHEDULE)},
    ),
    Operation(
        route="POST /api/v1/schedules",
        name="addSchedule",
        tag=SCHEDULES,
        summary="Make a schedule",
        description="From its next moment on the workers submit its request.",
        body=Content(NewScheduleSchema, examples.NEW_SCHEDULE),
        answers={
            201: _json(
                "Made.",
                ScheduleSchema,
                examples.SCHEDULE,
                headers=("Location",),
                links=dict.fromkeys(
                    ("getSchedule", "changeSchedule", "removeSchedule"), OF_NEW_SCHEDULE
                ),
            )
        },
        problems={409: "There is a schedule of this name already"},
    ),
    Operation(
        route="GET /api/v1/schedules/{schedule_id}",
        name="getSchedule",
        tag=SCHEDULES,
        summary="Show a schedule",
        description="With its next and its last run.",
        answers={200: _json("The schedule.", ScheduleSchema, examples.SCHEDULE)},
        problems={404: NO_SCHEDULE},
    ),
    Operation(
        route="PATCH /api/v1/schedules/{schedule_id}",
        name="changeSchedule",
        tag=SCHEDULES,
        summary="Change a schedule",
        description="What the body does not name stays as it is.",
        body=Content(ScheduleChangeSchema, {"paused": True}),
        answers={
            200: _json(
                "The schedule as it is now.",
                ScheduleSchema,
                {**examples.SCHEDULE, "paused": True, "next_run_at": None},
            )
        },
        problems={404: NO_SCHEDULE, 409: "There is a schedule of this name already"},
    ),
    Operation(
        route="DELETE /api/v1/schedules/{schedule_id}",
        name="removeSchedule",
        tag=SCHEDULES,
        summary="Remove a schedule",
        description="The jobs that it has submitted stay.",
        answers={200: _json("Removed.", MessageSchema, examples.REMOVED)},
        problems={404: NO_SCHEDULE},
    ),
    Operation(
        route="GET /healthz",
        name="isAlive",
        tag=OPERATIONS,
        summary="Is the process alive?",
        description="200 as long as the event loop turns, whatever else is broken.",
        is_public=True,
        answers={200: _json("Alive.", ProbeSchema, {"status": "alive"})},
    ),
    Operation(
        route="GET /readyz",
        name="isReady",
        tag=OPERATIONS,
        summary="Is the process ready?",
        description=(
            "200 when database, schema, storage and keys of tokens are in order; `warnings` name"
            " what else is not: no worker is alive, or the database accepts no writes."
        ),
        is_public=True,
        answers={200: _json("Ready.", ReadinessSchema, {"status": "ready", "warnings": []})},
        problems={503: "Not ready: database"},
    ),
    Operation(
        route="GET /metrics",
        name="getMetrics",
        tag=OPERATIONS,
        summary="Figures for Prometheus",
        description="Counts only, in Prometheus' text format, or in OpenMetrics where accepted.",
        is_public=True,
        answers={
            200: Answer(
                description="The figures.",
                content={
                    PLAIN_TEXT: Content(TEXT, examples.METRICS),
                    "application/openmetrics-text": Content(TEXT, examples.METRICS + "# EOF\n"),
                },
            )
        },
    ),
    *(
        Operation(
            route=f"GET {path}",
            name=name,
            tag=tag,
            summary=summary,
            description=description,
            is_public=True,
            headers=("If-None-Match",),
            answers={
                200: _file(kind, summary + ".", example=example, headers=("ETag",)),
                304: NOT_MODIFIED,
            },
        )
        for path, name, tag, kind, summary, description, example in (
            (
                "/ops",
                "showOps",
                OPERATIONS,
                "text/html",
                "The operators' page",
                "HTML without data; its script asks for the overview with a token.",
                "<!doctype html>…",
            ),
            (
                "/ops/ops.css",
                "showOpsStyle",
                OPERATIONS,
                "text/css",
                "Its style",
                "The style of the operators' page.",
                "body { … }",
            ),
            (
                "/ops/ops.js",
                "showOpsScript",
                OPERATIONS,
                "text/javascript",
                "Its script",
                "The script of the operators' page.",
                '"use strict";',
            ),
            (
                "/docs",
                "showDocs",
                DESCRIPTION,
                "text/html",
                "This document as a page",
                "Swagger UI, which shows this document and sends requests with a token of yours.",
                "<!doctype html>…",
            ),
            (
                "/docs/docs.js",
                "showDocsScript",
                DESCRIPTION,
                "text/javascript",
                "Its start script",
                "Starts Swagger UI on the page.",
                '"use strict";',
            ),
            (
                "/docs/swagger-ui-bundle.js",
                "showSwaggerScript",
                DESCRIPTION,
                "text/javascript",
                "Swagger UI",
                "The script of Swagger UI.",
                "!function () { … }();",
            ),
            (
                "/docs/swagger-ui.css",
                "showSwaggerStyle",
                DESCRIPTION,
                "text/css",
                "Its style sheet",
                "The style of Swagger UI.",
                ".swagger-ui { … }",
            ),
            (
                "/docs/favicon-32x32.png",
                "showSwaggerIcon",
                DESCRIPTION,
                "image/png",
                "Its icon",
                "The icon of the page.",
                "\u2026",
            ),
        )
    ),
    Operation(
        route="GET /openapi.json",
        name="getDescription",
        tag=DESCRIPTION,
        summary="This document",
        description="The description of the API, as OpenAPI 3.1.",
        is_public=True,
        headers=("If-None-Match",),
        answers={
            200: Answer(
                description="The document.",
                content={
                    JSON: Content(
                        {"type": "object", "required": ["openapi", "info", "paths"]},
                        {"openapi": "3.1.0", "info": {"title": "…", "version": "…"}, "paths": {}},
                    )
                },
                headers=("ETag",),
            ),
            304: NOT_MODIFIED,
        },
    ),
)
