"""Handlers of lists: jobs by status, and the papers of one job."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web
from marshmallow import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.api.handlers.jobs import DATABASE, job_id_of, json_response
from service.api.job_status import status_document, to_iso8601
from service.api.openapi.operation import JOBS_TAG, NO_JOB, describe, page_answer
from service.api.pagination import MAX_LIMIT, Listed, next_link
from service.api.request_body import LARGE_BODY_BYTES
from service.api.schemas.job_list_query import (
    JOBS,
    JobsQuerySchema,
    behind_of,
    job_filter_of,
    statuses_of,
)
from service.api.schemas.job_status import STATUS_EXAMPLE, ListedStatusSchema
from service.api.schemas.jobs import (
    JOB_PAPER_EXAMPLE,
    JOB_PAPERS,
    JobPaperSchema,
    JobPapersQuerySchema,
)
from service.api.schemas.loading import load_query
from service.db.job_lists import JobFilter, JobListStore, JobSort
from service.db.job_papers import JobPaperStore, ListedJobPaper
from service.db.job_rows import JobState, to_job
from service.db.jobs import JobStore
from service.domain.errors import InvalidRequest
from service.domain.jobs import Job, JobStatus

Terms = tuple[JobFilter | None, tuple[datetime, UUID] | None]

MAX_ACTIVE = 1000  # in the answer to a request without parameters


@describe(
    name="listJobs",
    tag=JOBS_TAG,
    summary="List jobs",
    description=(
        "Jobs that match all that is given, newest first; without `status` active ones only."
        " Without any parameter all active jobs come at once, up to 1,000."
    ),
    query=JobsQuerySchema,
    answers={200: page_answer(ListedStatusSchema, STATUS_EXAMPLE)},
)
async def list_jobs(request: web.Request) -> web.Response:
    """GET /jobs → 200 with jobs, newest first: the active ones, or those that match.

    Without any parameter all active jobs come at once, up to a thousand.
    """
    query = load_query(JobsQuerySchema(), request.query)
    limit = query["limit"] if request.query else MAX_ACTIVE
    terms = terms_of(query)
    async with request.app[DATABASE].transaction() as conn:
        page = await find_jobs(conn, query, terms, limit=limit)
    headers = {}
    if page.has_more:
        more = {} if request.query else {"limit": str(MAX_LIMIT)}
        headers = next_link(request, cursor_behind(page, query), **more)
    shown = detailed if query["details"] else status_document
    return json_response(await job_array(page.rows, shown), headers=headers)


def terms_of(query: dict[str, Any]) -> Terms:
    """The filter (None: no job can match) and the place behind which the page begins.

    Raises InvalidRequest for what only the parameters together show to be wrong.
    """
    try:
        return job_filter_of(query), behind_of(query)
    except ValidationError as err:
        raise InvalidRequest({err.field_name: [str(err.messages[0])]}) from None


async def find_jobs(
    conn: AsyncConnection, query: dict[str, Any], terms: Terms, *, limit: int
) -> Listed[JobState]:
    """The jobs of a page; those by status alone have an index, and a query, of their own."""
    wanted, behind = terms
    if wanted is None:
        return Listed.of([], limit=limit)
    is_plain = not query.keys() - {"status", "limit", "cursor", "sort", "details"}
    if is_plain and query["sort"] is JobSort.NEWEST:
        statuses = statuses_of(query) or tuple(JobStatus)
        found = await JobStore(conn).list_jobs(statuses, limit=limit + 1, before=behind)
    else:
        found = await JobListStore(conn).list_page(
            wanted, query["sort"], limit=limit + 1, behind=behind
        )
    return Listed.of(found, limit=limit)


def cursor_behind(page: Listed[JobState], query: dict[str, Any]) -> str:
    """The cursor of the page that follows."""
    last = to_job(page.rows[-1])
    return JOBS.write(query["sort"], getattr(last, query["sort"].column), last.id)


async def job_array(
    states: Sequence[JobState], shown: Callable[[Job], dict[str, Any]] = status_document
) -> bytes:
    """What is `shown` of jobs as a JSON array; a large one does not hold up the loop."""
    is_large = sum(map(len, states)) > LARGE_BODY_BYTES
    return await asyncio.to_thread(_array, states, shown) if is_large else _array(states, shown)


def _array(states: Sequence[JobState], shown: Callable[[Job], dict[str, Any]]) -> bytes:
    """What is `shown` of each job as a JSON array.

    They are dumped one by one: in one go, no other thread would get its turn meanwhile.
    """
    return b"[" + b",".join(orjson.dumps(shown(to_job(one))) for one in states) + b"]"


def detailed(job: Job) -> dict[str, Any]:
    """The status object, and what is known of a job before a worker has taken it up."""
    details = {
        "request": job.request,
        "requested_by": job.requested_by,
        "labels": job.request.get("labels", {}),
        "retry_of": None if job.retry_of is None else str(job.retry_of),
        "schedule_id": None if job.schedule_id is None else str(job.schedule_id),
        "errors_total": job.errors_total,
        "updated_at": to_iso8601(job.updated_at),
    }
    return {**status_document(job), "details": details}


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
        headers = next_link(request, JOB_PAPERS.write(page.rows[-1].item))
    return json_response([_paper_document(row) for row in page.rows], headers=headers)


def _html_document(row: ListedJobPaper) -> dict[str, Any]:
    """State of the HTML; nothing where it is not wanted, as before there was any."""
    if row.html_state is None:
        return {}
    return {"html_state": row.html_state, "html_reason": row.html_reason}


def _paper_document(row: ListedJobPaper) -> dict[str, Any]:
    return {
        "arxiv_id": row.arxiv_id,
        "version": row.version,
        "title": row.title,
        "state": row.state,
        "attempts": row.attempts,
        "failures": row.failures,
        "reason": row.reason,
        "updated_at": to_iso8601(row.updated_at),
        **_html_document(row),
    }
