"""Handlers of schedules: create, get, list, change, delete. The workers run them."""

from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import Row

from service.api.callbacks import require_target
from service.api.handlers.jobs import DATABASE, REQUEST_RULES, json_response, uuid_of
from service.api.job_status import to_iso8601
from service.api.middlewares.auth import PRINCIPAL, require_ownership
from service.api.openapi.operation import (
    NO_SCHEDULE,
    SCHEDULES_TAG,
    Content,
    describe,
    json_answer,
    page_answer,
)
from service.api.pagination import Listed, next_link
from service.api.request_body import read_json
from service.api.root_path import public_path
from service.api.schemas.jobs import MessageSchema
from service.api.schemas.loading import load, load_query
from service.api.schemas.schedules import (
    NEW_SCHEDULE_EXAMPLE,
    REMOVED_EXAMPLE,
    SCHEDULE_EXAMPLE,
    SCHEDULES,
    NewScheduleSchema,
    ScheduleChangeSchema,
    ScheduleSchema,
    SchedulesQuerySchema,
)
from service.db.schedules import ScheduleStore
from service.domain.errors import NotFound
from service.jobs.schedules import add_schedule, change_schedule

OF_NEW_SCHEDULE = {"schedule_id": "$response.body#/schedule_id"}


@describe(
    name="addSchedule",
    tag=SCHEDULES_TAG,
    summary="Create a schedule",
    description="Workers create a job from its request whenever the cron expression is due.",
    body=Content(NewScheduleSchema, NEW_SCHEDULE_EXAMPLE),
    answers={
        201: json_answer(
            "Made.",
            ScheduleSchema,
            SCHEDULE_EXAMPLE,
            headers=("Location",),
            links=dict.fromkeys(
                ("getSchedule", "changeSchedule", "removeSchedule"), OF_NEW_SCHEDULE
            ),
        )
    },
    problems={409: "There is a schedule of this name already"},
)
async def add(request: web.Request) -> web.Response:
    """POST /schedules → 201 with the schedule."""
    wanted = _columns(load(NewScheduleSchema(), await read_json(request)))
    request.app[REQUEST_RULES].check(wanted["request"], of="request.")
    require_target(request, wanted["request"].callback_url, field="request.callback_url")
    async with request.app[DATABASE].transaction() as conn:
        row = await add_schedule(conn, wanted, caller=request[PRINCIPAL].caller)
    location = request.app.router["schedule"].url_for(schedule_id=str(row.id))
    return json_response(
        _document(row), status=201, headers={"Location": public_path(request.app, location)}
    )


@describe(
    name="listSchedules",
    tag=SCHEDULES_TAG,
    summary="List schedules",
    description="All of them, by name.",
    query=SchedulesQuerySchema,
    answers={200: page_answer(ScheduleSchema, SCHEDULE_EXAMPLE)},
)
async def list_schedules(request: web.Request) -> web.Response:
    """GET /schedules → 200 with the schedules, by name."""
    wanted = load_query(SchedulesQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", ("",))
    async with request.app[DATABASE].transaction() as conn:
        found = await ScheduleStore(conn).list_all(limit=limit + 1, after=after)
    page = Listed.of(found, limit=limit)
    headers = next_link(request, SCHEDULES.write(page.rows[-1].name)) if page.has_more else {}
    return json_response([_document(row) for row in page.rows], headers=headers)


@describe(
    name="getSchedule",
    tag=SCHEDULES_TAG,
    summary="Get a schedule",
    description="With its next and its last run.",
    answers={200: json_answer("The schedule.", ScheduleSchema, SCHEDULE_EXAMPLE)},
    problems={404: NO_SCHEDULE},
)
async def get_schedule(request: web.Request) -> web.Response:
    """GET /schedules/{schedule_id} → 200 with the schedule."""
    async with request.app[DATABASE].transaction() as conn:
        row = await ScheduleStore(conn).get(_id_of(request))
    return json_response(_document(row))


@describe(
    name="changeSchedule",
    tag=SCHEDULES_TAG,
    summary="Change a schedule",
    description="What the body does not name stays as it is.",
    body=Content(ScheduleChangeSchema, {"paused": True}),
    answers={
        200: json_answer(
            "The schedule as it is now.",
            ScheduleSchema,
            {**SCHEDULE_EXAMPLE, "paused": True, "next_run_at": None},
        )
    },
    problems={404: NO_SCHEDULE, 409: "There is a schedule of this name already"},
)
async def change(request: web.Request) -> web.Response:
    """PATCH /schedules/{schedule_id} → 200 with the schedule as it is now."""
    schedule_id = _id_of(request)
    wanted = _columns(load(ScheduleChangeSchema(), await read_json(request)))
    if "request" in wanted:
        request.app[REQUEST_RULES].check(wanted["request"], of="request.")
        require_target(request, wanted["request"].callback_url, field="request.callback_url")
    async with request.app[DATABASE].transaction() as conn:
        before = await ScheduleStore(conn).get(schedule_id, lock=True)
        require_ownership(request, before.created_by)
        row = await change_schedule(conn, before, wanted)
    return json_response(_document(row))


@describe(
    name="removeSchedule",
    tag=SCHEDULES_TAG,
    summary="Delete a schedule",
    description="Jobs that it has created are kept.",
    answers={200: json_answer("Removed.", MessageSchema, REMOVED_EXAMPLE)},
    problems={404: NO_SCHEDULE},
)
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
        raise NotFound("Schedule not found", code="schedule_not_found")
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
