"""The fleet over HTTP: its state, and the stop and resumption of all requests to arXiv."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from aiohttp import web

from service.api.handlers.health import READINESS
from service.api.handlers.jobs import DATABASE, json_response
from service.api.job_status import to_iso8601
from service.api.middlewares.auth import require_operator
from service.api.openapi.operation import OPERATIONS_TAG, describe, json_answer
from service.api.schemas.fleet import (
    FLEET_EXAMPLE,
    PAUSED_EXAMPLE,
    RESUMED_EXAMPLE,
    FleetSchema,
    PauseSchema,
)
from service.db.fleet import FleetStore
from service.db.health import is_read_only
from service.db.rate_limits import RateLimitStore
from service.db.statistics import StatsStore
from service.db.workers import WorkerRow, WorkerStore
from service.domain.channels import ChannelState


@describe(
    name="getFleet",
    tag=OPERATIONS_TAG,
    summary="Get the state of the fleet",
    description=(
        "Workers that are alive, queue depth by kind of task, channels to arXiv (`state` is"
        " `available`, `unavailable`, `cooldown` or `paused`), storage and database."
    ),
    answers={200: json_answer("The state.", FleetSchema, FLEET_EXAMPLE)},
)
async def show_fleet(request: web.Request) -> web.Response:
    """GET /fleet → 200 with what there is, of one moment."""
    return json_response(await fleet_document(request.app))


async def fleet_document(app: web.Application) -> dict[str, Any]:
    """The fleet, of one moment."""
    storage = await app[READINESS].storage()
    async with app[DATABASE].transaction() as conn:
        return {
            "at": to_iso8601(await StatsStore(conn).begin()),
            "workers": worker_rows(await WorkerStore(conn).list_alive()),
            "queue": [row._asdict() for row in await FleetStore(conn).list_queue()],
            "channels": channel_rows(await RateLimitStore(conn).channels()),
            "storage": "available" if storage is None else "unavailable",
            "database": "read_only" if await is_read_only(conn) else "available",
        }


@describe(
    name="pauseArxiv",
    tag=OPERATIONS_TAG,
    summary="Stop all requests to arXiv",
    description=(
        "Of the whole fleet, until `resume`: no request starts later than a second after this,"
        " those in flight end. Repeatable. Needs the scope of `JWT_OPERATOR_SCOPE`, if set."
    ),
    answers={200: json_answer("Stopped.", PauseSchema, PAUSED_EXAMPLE)},
)
async def pause(request: web.Request) -> web.Response:
    """POST /arxiv/pause → 200."""
    require_operator(request)
    async with request.app[DATABASE].transaction() as conn:
        since = await RateLimitStore(conn).pause()
    return json_response({"paused": True, "since": to_iso8601(since)})


@describe(
    name="resumeArxiv",
    tag=OPERATIONS_TAG,
    summary="Resume requests to arXiv",
    description="Ends a pause; jobs that waited go on. Repeatable. Same scope as `pause`.",
    answers={200: json_answer("Requests may go out.", PauseSchema, RESUMED_EXAMPLE)},
)
async def resume(request: web.Request) -> web.Response:
    """POST /arxiv/resume → 200."""
    require_operator(request)
    async with request.app[DATABASE].transaction() as conn:
        await RateLimitStore(conn).resume()
    return json_response({"paused": False, "since": None})


def worker_rows(workers: Sequence[WorkerRow]) -> list[dict[str, Any]]:
    """Workers as the API shows them."""
    return [
        {name: _shown(getattr(worker, name)) for name in WorkerRow.__slots__} for worker in workers
    ]


def channel_rows(channels: Sequence[ChannelState]) -> list[dict[str, Any]]:
    """Channels as the API shows them."""
    return [
        {name: _shown(value) for name, value in asdict(state).items() if name != "reason"}
        for state in channels
    ]


def _shown(value: object) -> object:
    return to_iso8601(value) if isinstance(value, datetime) else value
