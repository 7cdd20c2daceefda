"""Handlers of lists: jobs by status, and the papers of one job."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import Row

from service.api.handlers.jobs import DATABASE, job_id_of, json_response
from service.api.job_status import status_document, to_iso8601
from service.api.openapi.operation import JOBS_TAG, NO_JOB, describe, page_answer
from service.api.pagination import MAX_LIMIT, Listed, next_link
from service.api.request_body import LARGE_BODY_BYTES
from service.api.schemas.job_status import STATUS_EXAMPLE, StatusSchema
from service.api.schemas.jobs import (
    JOB_PAPER_EXAMPLE,
    JOB_PAPERS,
    JOBS,
    JobPaperSchema,
    JobPapersQuerySchema,
    JobsQuerySchema,
)
from service.api.schemas.loading import load_query
from service.db.job_papers import JobPaperStore
from service.db.job_rows import JobState, to_job
from service.db.jobs import JobStore
from service.domain.jobs import ACTIVE_STATUSES

MAX_ACTIVE = 1000  # in the answer to a request without parameters


@describe(
    name="listJobs",
    tag=JOBS_TAG,
    summary="List jobs",
    description=(
        "Jobs, newest first: the active ones (pending, running), or those of `status`."
        " Without any parameter all active jobs come at once, up to 1,000."
    ),
    query=JobsQuerySchema,
    answers={200: page_answer(StatusSchema, STATUS_EXAMPLE)},
)
async def list_jobs(request: web.Request) -> web.Response:
    """GET /jobs → 200 with jobs, newest first: the active ones, or those of `status`.

    Without any parameter all active jobs come at once, up to a thousand.
    """
    wanted = load_query(JobsQuerySchema(), request.query)
    limit = wanted["limit"] if request.query else MAX_ACTIVE
    statuses = wanted.get("status", ACTIVE_STATUSES)
    async with request.app[DATABASE].transaction() as conn:
        found = await JobStore(conn).list_jobs(
            statuses, limit=limit + 1, before=wanted.get("cursor")
        )
    page = Listed.of(found, limit=limit)
    headers = {}
    if page.has_more:
        last = to_job(page.rows[-1])
        more = {} if request.query else {"limit": str(MAX_LIMIT)}
        headers = next_link(request, JOBS.write(last.created_at, last.id), **more)
    is_large = sum(map(len, page.rows)) > LARGE_BODY_BYTES
    body = await asyncio.to_thread(_array, page.rows) if is_large else _array(page.rows)
    return json_response(body, headers=headers)


def _array(states: Sequence[JobState]) -> bytes:
    """The status objects of jobs as a JSON array.

    They are dumped one by one: in one go, no other thread would get its turn meanwhile.
    """
    return b"[" + b",".join(orjson.dumps(status_document(to_job(one))) for one in states) + b"]"


@describe(
    name="listJobPapers",
    tag=JOBS_TAG,
    summary="List the papers of a job",
    description="By id, each with its state in this job.",
    query=JobPapersQuerySchema,
    answers={200: page_answer(JobPaperSchema, JOB_PAPER_EXAMPLE)},
    problems={404: NO_JOB},
)
async def list_papers(request: web.Request) -> web.Response:
    """GET /job/{job_id}/papers → 200 with the papers of a job, by id, each with its state."""
    job_id = job_id_of(request)
    wanted = load_query(JobPapersQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", ("",))
    async with request.app[DATABASE].transaction() as conn:
        await JobStore(conn).get(job_id)
        found = await JobPaperStore(conn).list_of_job(
            job_id, wanted["state"], limit=limit + 1, after=after
        )
    page = Listed.of(found, limit=limit)
    headers = {}
    if page.has_more:
        headers = next_link(request, JOB_PAPERS.write(page.rows[-1].arxiv_id))
    return json_response([_paper_document(row) for row in page.rows], headers=headers)


def _paper_document(row: Row[Any]) -> dict[str, Any]:
    return {
        "arxiv_id": row.arxiv_id,
        "version": row.version,
        "title": row.title,
        "state": row.state,
        "attempts": row.attempts,
        "failures": row.failures,
        "reason": row.reason,
        "updated_at": to_iso8601(row.updated_at),
    }
