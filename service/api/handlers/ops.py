"""GET /overview: the state of the fleet, as the operators' page shows it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from aiohttp import web

from service.api.handlers.fleet import channel_rows, worker_rows
from service.api.handlers.jobs import DATABASE, json_response
from service.api.job_status import to_iso8601
from service.api.middlewares.auth import MAY_OPERATE, MAY_WRITE, PRINCIPAL
from service.api.openapi.operation import OPERATIONS_TAG, describe, json_answer
from service.api.schemas.ops import OVERVIEW_EXAMPLE, OverviewSchema
from service.db.fleet import FleetStore, Freshness
from service.db.rate_limits import RateLimitStore
from service.db.statistics import StatsStore
from service.db.workers import WorkerStore

ACTIVE_SHOWN = 50
LATEST_SHOWN = 10
FAILING_SHOWN = 25
TABLES_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ArxivLimits:
    """What arXiv permits the fleet, as configured."""

    api_requests_per_minute: float = 20.0
    pdfs_per_minute: float = 240.0
    html_requests_per_minute: float = 4.0


ARXIV_LIMITS: web.AppKey[ArxivLimits] = web.AppKey("arxiv_limits", ArxivLimits)


@describe(
    name="getOverview",
    tag=OPERATIONS_TAG,
    summary="Get the overview of the operators' page",
    description="What the operators' page shows, at one point in time.",
    answers={200: json_answer("The state.", OverviewSchema, OVERVIEW_EXAMPLE)},
)
async def overview(request: web.Request) -> web.Response:
    """GET /overview → 200 with what the page shows, at one point in time."""
    document = await overview_document(request.app)
    return json_response({**document, "caller": _caller(request)})


async def overview_document(app: web.Application) -> dict[str, Any]:
    """What the page shows whoever looks, at one point in time."""
    async with app[DATABASE].transaction() as conn:
        fleet, stats, workers = FleetStore(conn), StatsStore(conn), WorkerStore(conn)
        return {
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
            "limits": asdict(app[ARXIV_LIMITS]),
            "requests": [asdict(one) for one in await fleet.list_requests()],
            "database": {
                "bytes": await fleet.size(),
                "pool": asdict(app[DATABASE].pool),
                "tables": _rows(await fleet.list_largest(limit=TABLES_SHOWN)),
            },
            "freshness": _freshness(await fleet.freshness()),
            "audited_sets": list(await fleet.list_audited_sets()),
        }


def _caller(request: web.Request) -> dict[str, Any]:
    """Who asks, and what they may do."""
    return {
        "subject": request[PRINCIPAL].caller,
        "may_write": request[MAY_WRITE],
        "may_operate": request[MAY_OPERATE],
    }


def _freshness(found: Freshness) -> dict[str, str | None]:
    return {
        "stored_at": to_iso8601(found.stored_at),
        "datestamp": None if found.datestamp is None else found.datestamp.isoformat(),
    }


def _rows(rows: Sequence[NamedTuple]) -> list[dict[str, Any]]:
    return [{name: _shown(value) for name, value in row._asdict().items()} for row in rows]


def _shown(value: object) -> object:
    return to_iso8601(value) if isinstance(value, datetime) else value
