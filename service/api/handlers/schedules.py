"""Handlers of schedules: create, get, list, change, delete. The workers run them."""

from typing import Any
from uuid import UUID

from aiohttp import web

from service.api.callbacks import require_target
from service.api.handlers.job_lists import job_array
from service.api.handlers.jobs import (
    DATABASE,
    QUOTAS,
    REQUEST_RULES,
    idempotency_key,
    json_response,
    uuid_of,
)
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
from service.api.request_body import read_json, read_no_body
from service.api.root_path import public_path
from service.api.schemas.job_status import STATUS_EXAMPLE, StatusSchema
from service.api.schemas.jobs import MessageSchema
from service.api.schemas.loading import load, load_query
from service.api.schemas.schedules import (
    NEW_SCHEDULE_EXAMPLE,
    REMOVED_EXAMPLE,
    RUN_EXAMPLE,
    RUNS,
    SCHEDULE_EXAMPLE,
    SCHEDULES,
    NewScheduleSchema,
    RunSchema,
    RunsQuerySchema,
    ScheduleChangeSchema,
    ScheduleSchema,
    SchedulesQuerySchema,
)
from service.db.job_lists import JobFilter, JobListStore, JobSort
from service.db.job_rows import to_job
from service.db.schedules import ScheduleStore
from service.domain.errors import NotFound
from service.domain.moving_dates import ScheduledRequest
from service.domain.schedules import Schedule
from service.jobs.schedules import add_schedule, change_schedule, log_run, run_now
from service.jobs.submit import Recorded

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
                (
                    *("getSchedule", "changeSchedule", "removeSchedule"),
                    *("runSchedule", "listScheduleJobs"),
                ),
                OF_NEW_SCHEDULE,
            ),
        )
    },
    problems={409: "There is a schedule of this name already"},
)
async def add(request: web.Request) -> web.Response:
    """POST /schedules → 201 with the schedule."""
    wanted = load(NewScheduleSchema(), await read_json(request))
    scheduled = _wanted_request(request, wanted)
    assert scheduled is not None  # the schema requires it
    async with request.app[DATABASE].transaction() as conn:
        row = await add_schedule(conn, scheduled, wanted, caller=request[PRINCIPAL].caller)
    location = request.app.router["schedule"].url_for(schedule_id=str(row.id))
    return json_response(
        schedule_document(row), status=201, headers={"Location": public_path(request.app, location)}
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
    return json_response([schedule_document(row) for row in page.rows], headers=headers)


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
    return json_response(schedule_document(row))


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
    wanted = load(ScheduleChangeSchema(), await read_json(request))
    scheduled = _wanted_request(request, wanted)
    async with request.app[DATABASE].transaction() as conn:
        before = await ScheduleStore(conn).get(schedule_id, lock=True)
        require_ownership(request, before.created_by)
        row = await change_schedule(conn, before, wanted, scheduled)
    return json_response(schedule_document(row))


@describe(
    name="runSchedule",
    tag=SCHEDULES_TAG,
    summary="Run a schedule now",
    description=(
        "Creates a job from its request at once, even if it is paused; its next run stays as it"
        " is. Takes no body, or `{}`."
    ),
    headers=("Idempotency-Key",),
    body=Content({"type": "object", "additionalProperties": False}, {}),
    needs_body=False,
    answers={
        202: json_answer(
            "Created.",
            RunSchema,
            RUN_EXAMPLE,
            headers=("Location", "Idempotent-Replayed"),
            links={"getJob": {"job_id": "$response.body#/job_id"}},
        )
    },
    problems={404: NO_SCHEDULE, 409: "The last job of the schedule is running"},
)
async def run(request: web.Request) -> web.Response:
    """POST /schedules/{schedule_id}/run → 202 with the id of the job."""
    await read_no_body(request)
    key, schedule_id = idempotency_key(request), _id_of(request)
    quotas = request.app[QUOTAS]
    async with request.app[DATABASE].transaction() as conn:
        schedule = await ScheduleStore(conn).get(schedule_id, lock=True)
        require_ownership(request, schedule.created_by)
        caller = request[PRINCIPAL].caller
        recorded = await run_now(conn, schedule, caller=caller, key=key, admission=quotas)
    if not recorded.is_replay:
        quotas.note_accepted()
        log_run(schedule, recorded.job)
    return _run_answer(request, recorded)


def _run_answer(request: web.Request, recorded: Recorded) -> web.Response:
    job_id = str(recorded.job.id)
    location = request.app.router["job"].url_for(job_id=job_id)
    headers = {"Location": public_path(request.app, location)}
    if recorded.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return json_response({"job_id": job_id}, status=202, headers=headers)


@describe(
    name="listScheduleJobs",
    tag=SCHEDULES_TAG,
    summary="List the jobs of a schedule",
    description="Those that it has created, in any state, newest first.",
    query=RunsQuerySchema,
    answers={200: page_answer(StatusSchema, STATUS_EXAMPLE)},
    problems={404: NO_SCHEDULE},
)
async def list_jobs(request: web.Request) -> web.Response:
    """GET /schedules/{schedule_id}/jobs → 200 with its jobs, newest first."""
    schedule_id = _id_of(request)
    query = load_query(RunsQuerySchema(), request.query)
    limit, wanted = query["limit"], JobFilter(schedule_id=schedule_id)
    async with request.app[DATABASE].transaction() as conn:
        await ScheduleStore(conn).get(schedule_id)
        found = await JobListStore(conn).list_page(
            wanted, JobSort.NEWEST, limit=limit + 1, behind=query.get("cursor")
        )
    page = Listed.of(found, limit=limit)
    headers = {}
    if page.has_more:
        last = to_job(page.rows[-1])
        headers = next_link(request, RUNS.write(last.created_at, last.id))
    return json_response(await job_array(page.rows), headers=headers)


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


def _wanted_request(request: web.Request, wanted: dict[str, Any]) -> ScheduledRequest | None:
    """The request in a loaded body, taken out of it, if it may be submitted here."""
    scheduled: ScheduledRequest | None = wanted.pop("request", None)
    if scheduled is not None:
        request.app[REQUEST_RULES].check(scheduled.request, of="request.")
        url = scheduled.request.callback_url
        require_target(request, url, field="request.callback_url")
    return scheduled


def schedule_document(row: Schedule) -> dict[str, Any]:
    """A schedule as the API shows it."""
    return {
        "schedule_id": str(row.id),
        "name": row.name,
        "cron": row.cron,
        "timezone": row.timezone,
        "paused": row.is_paused,
        "request": row.request,
        "created_by": row.created_by,
        "created_at": to_iso8601(row.created_at),
        "next_run_at": to_iso8601(row.next_run_at),
        "last_run_at": to_iso8601(row.last_run_at),
        "last_job_id": None if row.last_job_id is None else str(row.last_job_id),
    }
