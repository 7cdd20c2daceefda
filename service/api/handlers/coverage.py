"""Coverage over HTTP: what audits found of a set, day by day."""

from aiohttp import web

from service.api.handlers.jobs import DATABASE, json_response
from service.api.openapi.operation import PAPERS_TAG, describe, json_answer
from service.api.schemas.coverage import (
    COVERAGE_EXAMPLE,
    CoverageQuerySchema,
    CoverageSchema,
    coverage_document,
)
from service.api.schemas.loading import load_query
from service.db.coverage import CoverageStore


@describe(
    name="getCoverage",
    tag=PAPERS_TAG,
    summary="Show what is held of what arXiv lists",
    description=(
        "The figures of the last audit of this very set, day by day, as healing has moved them;"
        " nothing is asked of arXiv. Before any audit there are no days."
    ),
    query=CoverageQuerySchema,
    answers={200: json_answer("The figures.", CoverageSchema, COVERAGE_EXAMPLE)},
)
async def get_coverage(request: web.Request) -> web.Response:
    """GET /coverage → 200 with the days that were audited in the range."""
    query = load_query(CoverageQuerySchema(), request.query)
    wanted, first, last = query.get("set", ""), query.get("from_date"), query.get("to_date")
    async with request.app[DATABASE].transaction() as conn:
        days = await CoverageStore(conn).list_days(wanted, first, last)
    return json_response(coverage_document(wanted, first, last, days))
