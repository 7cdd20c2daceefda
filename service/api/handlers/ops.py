"""For operators: one page, and what it shows.

The page itself holds no data and is public; its script asks `overview` with a
token that the operator pastes. It may load and ask nothing but ourselves.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy import Row

from service.api.handlers.jobs import DATABASE, json_response
from service.api.job_status import to_iso8601
from service.api.response_headers import PAGE_HEADERS
from service.db.fleet import FleetStore
from service.db.statistics import StatsStore

ACTIVE_SHOWN = 50
LATEST_SHOWN = 10
FAILING_SHOWN = 25

_FOLDER = Path(__file__).parents[1] / "static"
_KINDS = {
    "ops.html": "text/html; charset=utf-8",
    "ops.css": "text/css; charset=utf-8",
    "ops.js": "text/javascript; charset=utf-8",
}
_HEADERS = {**PAGE_HEADERS, "Cache-Control": "no-cache"}


async def show_page(_: web.Request) -> web.StreamResponse:
    """GET /ops → 200, HTML."""
    return _file("ops.html")


async def show_style(_: web.Request) -> web.StreamResponse:
    """GET /ops/ops.css → 200."""
    return _file("ops.css")


async def show_script(_: web.Request) -> web.StreamResponse:
    """GET /ops/ops.js → 200."""
    return _file("ops.js")


def _file(name: str) -> web.FileResponse:
    return web.FileResponse(_FOLDER / name, headers={**_HEADERS, "Content-Type": _KINDS[name]})


async def overview(request: web.Request) -> web.Response:
    """GET /overview → 200 with what the page shows, of one moment."""
    async with request.app[DATABASE].transaction() as conn:
        fleet, stats = FleetStore(conn), StatsStore(conn)
        document = {
            "at": to_iso8601(await stats.begin()),
            "jobs_by_status": (await stats.count_jobs()).counts,
            "papers_by_pdf_state": (await stats.count_papers()).counts,
            "jobs": _rows(await fleet.list_jobs(active=ACTIVE_SHOWN, latest=LATEST_SHOWN)),
            "tasks": _rows(await fleet.list_tasks()),
            "lanes": _rows(await fleet.list_channels()),
            "processes": _rows(await fleet.list_processes()),
            "failing": _rows(await fleet.list_failing(limit=FAILING_SHOWN)),
        }
    return json_response(document)


def _rows(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    return [{str(name): _shown(value) for name, value in row._mapping.items()} for row in rows]


def _shown(value: object) -> object:
    return to_iso8601(value) if isinstance(value, datetime) else value
