"""Errors of a job over HTTP: all of them in pages, or counted by stage and code."""

from typing import Any

from aiohttp import web

from service.api.handlers.jobs import DATABASE, job_id_of, json_response
from service.api.job_status import error_document
from service.api.openapi.operation import JOBS_TAG, NO_JOB, describe, page_answer
from service.api.pagination import MAX_LIMIT, Listed, next_link
from service.api.schemas.job_status import JOB_ERROR_EXAMPLE
from service.api.schemas.jobs import JOB_ERRORS, JobErrorOrGroupSchema, JobErrorsQuerySchema
from service.api.schemas.loading import load_query
from service.db.job_error_lists import ErrorGroup, JobErrorStore, StoredError
from service.db.jobs import JobStore
from service.domain.jobs import JobError, Stage


@describe(
    name="listJobErrors",
    tag=JOBS_TAG,
    summary="List the errors of a job",
    description=(
        "All of them, or those of a `stage` and `code`, in the order of storing, in pages; with"
        " `group=code` how many of each stage and code there are, on how many papers, with an"
        " example, most frequent first."
    ),
    query=JobErrorsQuerySchema,
    answers={200: page_answer(JobErrorOrGroupSchema, JOB_ERROR_EXAMPLE)},
    problems={404: NO_JOB},
)
async def list_errors(request: web.Request) -> web.Response:
    """GET /job/{job_id}/errors → 200 with errors, or with groups of them."""
    job_id = job_id_of(request)
    wanted = load_query(JobErrorsQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", (0,))
    async with request.app[DATABASE].transaction() as conn:
        await JobStore(conn).requested_by(job_id)  # for its 404
        store = JobErrorStore(conn)
        if "group" in wanted:
            groups = await store.group(job_id, limit=MAX_LIMIT)
            return json_response([_group_document(row) for row in groups])
        found = await store.list_page(
            job_id,
            limit=limit + 1,
            after=after,
            stage=wanted.get("stage"),
            code=wanted.get("code"),
        )
    page = Listed.of(found, limit=limit)
    headers = next_link(request, JOB_ERRORS.write(page.rows[-1].id)) if page.has_more else {}
    return json_response([error_document(_error(row)) for row in page.rows], headers=headers)


def _error(row: StoredError) -> JobError:
    return JobError(
        stage=Stage(row.stage),
        message=row.error,
        code=row.code,
        occurred_at=row.occurred_at,
        arxiv_id=row.arxiv_id,
        attempt=row.attempt,
        line=row.line,
    )


def _group_document(row: ErrorGroup) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "code": row.code,
        "count": row.times,
        "papers": row.papers,
        "example": row.example,
    }
