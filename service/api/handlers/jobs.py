"""Handlers of jobs: create, get status, retry, cancel. Thin: load, one call, dump."""

import asyncio
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from aiohttp import hdrs, web

from service.api.callbacks import require_target
from service.api.job_status import JOB_STATUS_READER, RenderedStatus
from service.api.job_watch import JOB_WATCH
from service.api.middlewares.auth import PRINCIPAL, require_ownership
from service.api.middlewares.errors import RETRY_AFTER_SECONDS
from service.api.negotiation import applied, is_seen, preferred_wait
from service.api.openapi.operation import (
    JOBS_TAG,
    NO_JOB,
    NOT_MODIFIED,
    Answer,
    Content,
    describe,
    json_answer,
)
from service.api.request_body import read_json, read_no_body
from service.api.root_path import public_path
from service.api.schemas.ingestion_request import (
    SUBMISSION_EXAMPLE,
    IngestionRequestSchema,
    load_request,
)
from service.api.schemas.job_status import STATUS_EXAMPLE, StatusSchema
from service.api.schemas.jobs import (
    CANCELLED_EXAMPLE,
    ESTIMATE_EXAMPLE,
    RECORDED_EXAMPLE,
    RETRIED_EXAMPLE,
    EstimateSchema,
    MessageSchema,
    RecordedSchema,
    SubmissionQuerySchema,
)
from service.api.schemas.loading import load_query
from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.errors import ArxivNotAsked, Conflict, MalformedRequest, NotFound
from service.domain.jobs import CRITERIA_OF, SEARCH, IngestionRequest
from service.jobs.dry_run import DryRuns
from service.jobs.events import log_cancelled
from service.jobs.quotas import Quotas
from service.jobs.request_rules import RequestRules
from service.jobs.retry import retry
from service.jobs.submit import Recorded, submit

DATABASE: web.AppKey[Database] = web.AppKey("database", Database)
DRY_RUNS: web.AppKey[DryRuns] = web.AppKey("dry_runs", DryRuns)
QUOTAS: web.AppKey[Quotas] = web.AppKey("admission", Quotas)
REQUEST_RULES: web.AppKey[RequestRules] = web.AppKey("request_rules", RequestRules)
MAX_KEY_LENGTH = 255
UUID_LENGTH = 36
FAILED: ContextVar[Exception | None] = ContextVar("failed", default=None)  # on the fast path

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]*", re.ASCII)


def _recorded_answer(example: object) -> Answer:
    follow = ("getJob", "cancelJob", "retryJob", "listJobPapers", "streamJob")
    links = {name: {"job_id": "$response.body#/job_id"} for name in follow}
    return json_answer(
        "Created.",
        RecordedSchema,
        example,
        headers=("Location", "Idempotent-Replayed"),
        links=links,
    )


@describe(
    name="createJob",
    tag=JOBS_TAG,
    summary="Create a job",
    description=(
        "Creates a job and answers at once; a worker does the work. With `Idempotency-Key`"
        " the same caller may repeat the request, and gets the same job. With `dry_run=true`"
        " nothing is created: arXiv is asked, within ten seconds, what a search would fetch."
    ),
    query=SubmissionQuerySchema,
    headers=("Idempotency-Key",),
    body=Content(IngestionRequestSchema, SUBMISSION_EXAMPLE),
    answers={
        200: json_answer(
            "What the job would fetch; nothing was created.", EstimateSchema, ESTIMATE_EXAMPLE
        ),
        202: _recorded_answer(RECORDED_EXAMPLE),
    },
    problems={
        422: "The request is invalid: search_query.from_day",
        503: "The rate limit towards arXiv left no slot in time",
    },
)
async def create_job(request: web.Request) -> web.Response:
    """POST /arxiv → 202. Only records the job; a worker does the work.

    With `dry_run=true` → 200 with an estimate; the one case in which arXiv is asked here.
    """
    if load_query(SubmissionQuerySchema(), request.query)["dry_run"]:
        return await _try(request)
    key = idempotency_key(request)
    if key is None:  # else the job may be there already
        request.app[QUOTAS].require_room()  # before anything that costs more than saying no
    wanted = await _wanted(request)
    recorded = await submit(
        request.app[DATABASE],
        wanted,
        caller=request[PRINCIPAL].caller,
        key=key,
        admission=request.app[QUOTAS],
    )
    return _recorded(request, recorded, wanted.searched, estimated_papers=wanted.estimated_papers)


async def _try(request: web.Request) -> web.Response:
    wanted = await _wanted(request)
    if (dry_runs := request.app.get(DRY_RUNS)) is None:
        what = "This process does not ask arXiv"
        raise ArxivNotAsked(what, code="arxiv_unavailable", retry_after=RETRY_AFTER_SECONDS)
    found = await dry_runs.estimate(wanted)
    return json_response(
        {
            "total": found.total,
            "estimated_papers": found.papers,
            "requests": found.requests,
            "estimated_seconds": round(found.duration.total_seconds(), 1),
            "search_criteria": wanted.searched,
        }
    )


async def _wanted(request: web.Request) -> IngestionRequest:
    """The request in the body, if it may be submitted here."""
    wanted = load_request(await read_json(request))
    request.app[REQUEST_RULES].check(wanted)
    require_target(request, wanted.callback_url, field="callback_url")
    return wanted


@describe(
    name="retryJob",
    tag=JOBS_TAG,
    summary="Retry a job's failed papers",
    description=(
        "Creates a new job for the failed papers of a finished one, and for the rest of its list"
        " if that was not harvested to its end. Takes no body, or `{}`."
    ),
    headers=("Idempotency-Key",),
    body=Content({"type": "object", "additionalProperties": False}, {}),
    needs_body=False,
    answers={202: _recorded_answer(RETRIED_EXAMPLE)},
    problems={404: NO_JOB, 409: "The job has no failed papers"},
)
async def retry_job(request: web.Request) -> web.Response:
    """POST /job/{job_id}/retry → 202 with a new job that retries the failed papers."""
    await read_no_body(request)
    key = idempotency_key(request)
    job_id = job_id_of(request)
    recorded = await retry(
        request.app[DATABASE],
        job_id,
        caller=request[PRINCIPAL].caller,
        key=key,
        admission=request.app[QUOTAS],
    )
    job = recorded.job
    named = CRITERIA_OF.get(str(job.request.get("source", SEARCH)), "")
    criteria = job.request.get(named, {})
    return _recorded(
        request, recorded, criteria, estimated_papers=job.papers_total, retry_of=str(job_id)
    )


def _recorded(
    request: web.Request,
    recorded: Recorded,
    criteria: Mapping[str, Any],
    *,
    estimated_papers: int | None,
    **more: str,
) -> web.Response:
    """The answer to what recorded `job`; `pending` even when a repeated request finds it later."""
    job = recorded.job
    location = request.app.router["job"].url_for(job_id=str(job.id))
    body = {
        "job_id": str(job.id),
        "status": "pending",
        "message": "The ingestion job was created; get its status at the URL in Location",
        "estimated_papers": estimated_papers,
        "search_criteria": criteria,
        **more,
    }
    headers = {"Location": public_path(request.app, location)}
    if recorded.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response(body, status=202, headers=headers)


@describe(
    name="getJob",
    tag=JOBS_TAG,
    summary="Get job status",
    description=(
        "The committed row. With `Prefer: wait=N` the answer comes as soon as the job differs"
        " from the ETag in `If-None-Match`, or after N seconds (60 at most)."
    ),
    headers=("If-None-Match", "Prefer"),
    answers={
        200: json_answer(
            "The status.",
            StatusSchema,
            STATUS_EXAMPLE,
            headers=("ETag", "Preference-Applied"),
        ),
        304: NOT_MODIFIED,
    },
    problems={404: NO_JOB, 500: "Failed to get job status: the database is not available"},
)
async def get_job(request: web.Request) -> web.Response:
    """GET /job/{job_id} → 200 with the committed row, or 304 if the caller has seen it.

    With `Prefer: wait=N` the answer waits for a change, where there is room to wait.
    """
    job_id, wait = job_id_of(request), preferred_wait(request)
    if wait is not None and request.app[JOB_WATCH].has_room(request[PRINCIPAL].caller):
        return await _get_changed_job(request, job_id, wait)
    if (failed := FAILED.get()) is not None:  # the fast path has tried it
        raise failed
    return _status_response(request, await request.app[JOB_STATUS_READER].get(job_id))


async def _get_changed_job(request: web.Request, job_id: UUID, wait: timedelta) -> web.Response:
    until = asyncio.get_running_loop().time() + wait.total_seconds()
    statuses = request.app[JOB_STATUS_READER]
    with request.app[JOB_WATCH].watch(request, job_id) as watch:
        shown = watch.saw(await statuses.get(job_id))
        sent = hdrs.IF_NONE_MATCH in request.headers
        if not shown.is_final and (is_seen(request, shown.tag) or not sent):
            shown = await watch.newer(shown, until=until) or watch.saw(await statuses.get(job_id))
    return _status_response(request, shown, headers=applied(wait))


def _status_response(
    request: web.Request, shown: RenderedStatus, *, headers: Mapping[str, str] | None = None
) -> web.Response:
    if is_seen(request, shown.tag):
        response = web.Response(status=304, headers=shown.headers)
        del response.headers[hdrs.CONTENT_TYPE]  # of no content
    else:
        response = web.Response(body=shown.body, headers=shown.headers)
    response.headers.update(headers or {})
    return response


@describe(
    name="cancelJob",
    tag=JOBS_TAG,
    summary="Cancel a job",
    description="Work in progress stops within seconds. The job is kept and can still be read.",
    answers={200: json_answer("Cancelled.", MessageSchema, CANCELLED_EXAMPLE)},
    problems={404: NO_JOB, 409: "The job is already completed"},
)
async def cancel_job(request: web.Request) -> web.Response:
    """DELETE /job/{job_id} → 200; the workers stop within seconds."""
    job_id = job_id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        owner = await JobStore(conn).requested_by(job_id)
        require_ownership(request, owner)
        outcome = await JobStore(conn).cancel(job_id)
    if outcome == "not found":
        raise NotFound("Job not found", code="job_not_found")
    if outcome != "cancelled":
        raise Conflict(f"The job is {outcome}")
    log_cancelled(job_id, requested_by=owner, by=request[PRINCIPAL].caller)
    return json_response({"message": f"Job {job_id} cancelled successfully"})


def job_id_of(request: web.Request) -> UUID:
    """The job id in the path, in its usual form only; raises NotFound for any other text."""
    found = uuid_of(request.match_info["job_id"])
    if found is None:
        raise NotFound("Job not found", code="job_not_found")
    return found


def uuid_of(text: str) -> UUID | None:
    """The UUID that `text` is in its usual form, with hyphens; None for any other text."""
    return _uuid_of(text) if len(text) == UUID_LENGTH else None


@lru_cache(4096)  # callers ask for the same jobs again and again
def _uuid_of(text: str) -> UUID | None:
    return None if _UUID.fullmatch(text) is None else UUID(text)


def json_response(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`body` as compact JSON, keys in the order given; bytes are JSON already."""
    extra = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    return web.Response(
        status=status,
        body=body if isinstance(body, bytes) else orjson.dumps(body),
        headers={"Content-Type": "application/json", **extra},
    )


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key of the request, if it has one; raises MalformedRequest."""
    values = request.headers.getall("Idempotency-Key", [])
    if not values:
        return None
    key = values[0]
    if len(values) > 1 or len(key) > MAX_KEY_LENGTH or _KEY.fullmatch(key) is None:
        raise MalformedRequest("Idempotency-Key must be 1 to 255 visible ASCII characters, once")
    return key
