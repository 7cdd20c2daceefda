"""GET /overview: the state of the fleet, as the operators' page shows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy import Row

from service.api.handlers.fleet import channel_rows, worker_rows
from service.api.handlers.jobs import DATABASE, json_response
from service.api.job_status import to_iso8601
from service.api.openapi.operation import OPERATIONS_TAG, describe, json_answer
from service.api.schemas.ops import OVERVIEW_EXAMPLE, OverviewSchema
from service.db.fleet import FleetStore
from service.db.rate_limits import RateLimitStore
from service.db.statistics import StatsStore
from service.db.workers import WorkerStore

ACTIVE_SHOWN = 50
LATEST_SHOWN = 10
FAILING_SHOWN = 25


@describe(
    name="getOverview",
    tag=OPERATIONS_TAG,
    summary="Get the overview of the operators' page",
    description="What the operators' page shows, at one point in time.",
    answers={200: json_answer("The state.", OverviewSchema, OVERVIEW_EXAMPLE)},
)
async def overview(request: web.Request) -> web.Response:
    """GET /overview → 200 with what the page shows, at one point in time."""
    async with request.app[DATABASE].transaction() as conn:
        fleet, stats, workers = FleetStore(conn), StatsStore(conn), WorkerStore(conn)
        document = {
            "at": to_iso8601(await stats.begin()),
            "jobs_by_status": (await stats.count_jobs()).counts,
            "papers_by_pdf_state": (await stats.count_papers()).counts,
            "jobs": _rows(await fleet.list_jobs(active=ACTIVE_SHOWN, latest=LATEST_SHOWN)),
            "tasks": _rows(await fleet.list_tasks()),
            "channels": channel_rows(await RateLimitStore(conn).channels()),
            "workers": worker_rows(await workers.list_alive()),
            "stalls": await workers.stalls(),
            "processes": _rows(await fleet.list_processes()),
            "failing": _rows(await fleet.list_failing(limit=FAILING_SHOWN)),
        }
    return json_response(document)


def _rows(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    return [{str(name): _shown(value) for name, value in row._mapping.items()} for row in rows]


def _shown(value: object) -> object:
    return to_iso8601(value) if isinstance(value, datetime) else value
