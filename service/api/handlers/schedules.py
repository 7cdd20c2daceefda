"""Recurring harvests over HTTP: make, look, list, change, remove. The workers run them."""

from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import Row

from service.api.handlers.jobs import DATABASE, json_response, uuid_of
from service.api.job_status import to_iso8601
from service.api.middlewares.auth import PRINCIPAL, require_ownership
from service.api.pagination import Listed, next_link
from service.api.request_body import read_json
from service.api.schemas.loading import load, load_query
from service.api.schemas.schedules import (
    SCHEDULES,
    NewScheduleSchema,
    ScheduleChangeSchema,
    SchedulesQuerySchema,
)
from service.db.schedules import ScheduleStore
from service.domain.errors import NotFound
from service.jobs.schedules import add_schedule, change_schedule


async def add(request: web.Request) -> web.Response:
    """POST /schedules → 201 with the schedule."""
    wanted = _columns(load(NewScheduleSchema(), await read_json(request)))
    async with request.app[DATABASE].transaction() as conn:
        row = await add_schedule(conn, wanted, caller=request[PRINCIPAL].caller)
    location = request.app.router["schedule"].url_for(schedule_id=str(row.id))
    return json_response(_document(row), status=201, headers={"Location": str(location)})


async def list_schedules(request: web.Request) -> web.Response:
    """GET /schedules → 200 with the schedules, by name."""
    wanted = load_query(SchedulesQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", ("",))
    async with request.app[DATABASE].transaction() as conn:
        found = await ScheduleStore(conn).list_all(limit=limit + 1, after=after)
    page = Listed.of(found, limit=limit)
    headers = next_link(request, SCHEDULES.write(page.rows[-1].name)) if page.has_more else {}
    return json_response([_document(row) for row in page.rows], headers=headers)


async def get_schedule(request: web.Request) -> web.Response:
    """GET /schedules/{schedule_id} → 200 with the schedule."""
    async with request.app[DATABASE].transaction() as conn:
        row = await ScheduleStore(conn).get(_id_of(request))
    return json_response(_document(row))


async def change(request: web.Request) -> web.Response:
    """PATCH /schedules/{schedule_id} → 200 with the schedule as it is now."""
    schedule_id = _id_of(request)
    wanted = _columns(load(ScheduleChangeSchema(), await read_json(request)))
    async with request.app[DATABASE].transaction() as conn:
        before = await ScheduleStore(conn).get(schedule_id, lock=True)
        require_ownership(request, before.created_by)
        row = await change_schedule(conn, before, wanted)
    return json_response(_document(row))


async def remove(request: web.Request) -> web.Response:
    """DELETE /schedules/{schedule_id} → 200; its jobs stay."""
    schedule_id = _id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        store = ScheduleStore(conn)
        require_ownership(request, (await store.get(schedule_id, lock=True)).created_by)
        await store.remove(schedule_id)
    return json_response({"message": f"Schedule {schedule_id} removed successfully"})


def _id_of(request: web.Request) -> UUID:
    found = uuid_of(request.match_info["schedule_id"])
    if found is None:
        raise NotFound("Schedule not found")
    return found


def _columns(wanted: dict[str, Any]) -> dict[str, Any]:
    """What of a body is stored: all but the time zone, of which there is one."""
    return {name: value for name, value in wanted.items() if name != "timezone"}


def _document(row: Row[Any]) -> dict[str, Any]:
    return {
        "schedule_id": str(row.id),
        "name": row.name,
        "cron": row.cron,
        "timezone": "UTC",
        "paused": row.is_paused,
        "request": row.request,
        "created_by": row.created_by,
        "created_at": to_iso8601(row.created_at),
        "next_run_at": to_iso8601(row.next_run_at),
        "last_run_at": to_iso8601(row.last_run_at),
        "last_job_id": None if row.last_job_id is None else str(row.last_job_id),
    }
