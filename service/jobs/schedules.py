"""Scheduler: each due run of a schedule becomes exactly one job.

The workers poll every second, by the database's clock. Who locks the row of a
schedule submits its job and moves it to its next run in one transaction; the
job's idempotency key names the run, so that it cannot come twice even if an
operator turns the row back. Moments that were missed run once, together. A moment
that comes while the last job is unfinished is left out, and made up for once when that
ends; one for whose job there is no room is left out for good.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.callers import CallerStore
from service.db.engine import Database
from service.db.jobs import JobStore
from service.db.schedules import ScheduleStore
from service.domain.errors import (
    Conflict,
    DatabaseUnavailable,
    KeyReused,
    Overloaded,
    QuotaExceeded,
)
from service.domain.jobs import IngestionRequest, Job
from service.domain.moving_dates import NoDaysLeft, RunDay, ScheduledRequest, resolved
from service.domain.schedules import Schedule
from service.jobs.cron import next_run
from service.jobs.events import log_created
from service.jobs.quotas import Quotas
from service.jobs.submit import Recorded, record

LOOK_EVERY = timedelta(seconds=1)
MAX_RUNS = 100  # in one poll, so that a thousand due at once do not hold up a stop
MAX_PER_CALLER = 100
NOBODY = "schedule"  # who submits what an operator scheduled in SQL
UNFINISHED = "the last job is not finished"
OTHER_REQUEST = "this Idempotency-Key was used with another request"
NO_DAYS_LEFT = "from_date has come to lie after to_date"

_log = structlog.get_logger(__name__)


async def add_schedule(
    conn: AsyncConnection,
    request: ScheduledRequest,
    wanted: Mapping[str, Any],
    *,
    caller: str,
) -> Schedule:
    """Record a schedule of `name`, `cron`, `timezone` and `is_paused`.

    Raises Conflict when there is one of that name, or `caller` has MAX_PER_CALLER.
    """
    store = ScheduleStore(conn)
    await CallerStore(conn).take_slot(caller)  # for the count to be exact
    if await store.count_of(caller) >= MAX_PER_CALLER:
        raise Conflict(f"You have {MAX_PER_CALLER} schedules, as many as a caller may have")
    next_run_at = None
    if not wanted["is_paused"]:
        next_run_at = next_run(wanted["cron"], await store.now(), wanted["timezone"])
    values = {**wanted, "request": request.dump()}
    return await store.add({**values, "created_by": caller, "next_run_at": next_run_at})


async def change_schedule(
    conn: AsyncConnection,
    before: Schedule,
    wanted: Mapping[str, Any],
    request: ScheduledRequest | None = None,
) -> Schedule:
    """Change a schedule whose row `before` is locked; raises Conflict.

    Its next run is computed anew if the expression or the time zone changed or it was
    paused: what was missed meanwhile is not made up for.
    """
    values = dict(wanted)
    if request is not None:
        values["request"] = request.dump()
    when = values.get("cron", before.cron), values.get("timezone", before.timezone)
    if values.get("is_paused", before.is_paused):
        values |= {"next_run_at": None, "missed_at": None}
    elif before.is_paused or when != (before.cron, before.timezone):
        cron, timezone = when
        values |= {"next_run_at": next_run(cron, before.now, timezone), "missed_at": None}
    return await ScheduleStore(conn).change(before.id, values) if values else before


async def run_now(
    conn: AsyncConnection,
    schedule: Schedule,
    *,
    caller: str,
    key: str | None,
    admission: Quotas,
) -> Recorded:
    """Submit a job of the locked `schedule` now, for `caller`; its next run stays as it is.

    With a `key` that named a run of this schedule before, the job of then is returned.
    Raises KeyReused if it named something else, Conflict while the last job is
    unfinished or no day is left, and what `admission` raises where there is no room.
    """
    jobs = JobStore(conn)
    earlier = None if key is None else await jobs.find_by_key(caller=caller, key=key)
    store = ScheduleStore(conn)
    if earlier is not None:
        if not await store.has_submitted(schedule.id, earlier.id):
            raise KeyReused(OTHER_REQUEST)
        return Recorded(earlier, is_replay=True)
    if status := await store.unfinished_job(schedule):
        raise Conflict(f"The last job of the schedule is {status}")
    position = await admission.admit(conn, caller)
    try:
        request = await _request(conn, schedule)
    except NoDaysLeft:
        raise Conflict(f"Nothing is left to ask for: {NO_DAYS_LEFT}") from None
    except (KeyError, TypeError, ValueError):
        raise Conflict("The stored request of the schedule cannot be read") from None
    job = await _record(conn, schedule, request, caller=caller, key=key, position=position)
    if job is None:  # the key was taken a moment ago, by another request than ours
        raise KeyReused(OTHER_REQUEST)
    return Recorded(job, is_replay=False)


async def keep_schedules(database: Database, admission: Quotas) -> None:
    """Run what is due and what `admission` has room for, until cancelled."""
    while True:
        try:
            await admission.look(database)
            await run_due(database, admission)
        except DatabaseUnavailable as err:
            _log.debug("schedule poll failed", code=err.code)
        await asyncio.sleep(LOOK_EVERY.total_seconds())


async def run_due(database: Database, admission: Quotas | None = None) -> list[UUID]:
    """Submit the jobs of the schedules that are due; returns their ids."""
    admission = admission or Quotas()
    submitted: list[UUID] = []
    for _ in range(MAX_RUNS):
        async with database.transaction() as conn:
            store = ScheduleStore(conn)
            due = await store.take_due() or await store.take_missed()
            job = None if due is None else await _run(conn, due, admission)
        if due is None:
            break
        if job is not None:
            admission.note_accepted()
            submitted.append(job.id)
            log_run(due, job)
    return submitted


def log_run(schedule: Schedule, job: Job) -> None:
    """Log a run whose job is committed."""
    log_created(job)
    _log.info("schedule ran", schedule_id=str(schedule.id), job_id=str(job.id))


async def _run(conn: AsyncConnection, due: Schedule, admission: Quotas) -> Job | None:
    """Submit the job of a schedule that is locked and due, and move it on; the job.

    None when there is nothing to submit: the schedule is new and only gets its next run,
    its last job is unfinished, the job of this run exists, there is no room for it, no day
    is left to ask for, or nobody can read it.
    """
    store = ScheduleStore(conn)
    try:
        following = next_run(due.cron, due.now, due.timezone)
        request = await _request(conn, due)
    except NoDaysLeft:
        await _skip(conn, due, following, reason=NO_DAYS_LEFT)
        return None
    except (KeyError, TypeError, ValueError):
        _log.error("schedule invalid, paused", schedule_id=str(due.id))
        await store.change(due.id, {"is_paused": True, "next_run_at": None, "missed_at": None})
        return None
    if due.next_run_at is None:
        await store.change(due.id, {"next_run_at": following})
        return None
    if await store.unfinished_job(due) is not None:
        missed_at = due.missed_at or due.next_run_at
        await _skip(conn, due, following, reason=UNFINISHED, missed_at=missed_at)
        return None
    caller = due.created_by or NOBODY
    try:
        position = await admission.admit(conn, caller)
    except (QuotaExceeded, Overloaded) as err:
        await _skip(conn, due, following, reason=str(err))
        return None
    await store.change(due.id, {"next_run_at": following, "missed_at": None})
    key = f"schedule:{due.id}:{_moment(due).isoformat()}"
    return await _record(conn, due, request, caller=caller, key=key, position=position)


async def _skip(
    conn: AsyncConnection,
    due: Schedule,
    following: datetime,
    *,
    reason: str,
    missed_at: datetime | None = None,
) -> None:
    """Leave the due moment out; with `missed_at` it is made up for."""
    _log.warning("schedule run skipped", schedule_id=str(due.id), reason=reason)
    values = {"next_run_at": following, "missed_at": missed_at}
    await ScheduleStore(conn).change(due.id, values)


def _moment(due: Schedule) -> datetime:
    """The moment that a run is for: the due one, else the one that is made up for."""
    moments = [at for at in (due.next_run_at, due.missed_at) if at is not None and at <= due.now]
    return max(moments).astimezone(UTC)


async def _request(conn: AsyncConnection, schedule: Schedule) -> IngestionRequest:
    """The request of a job that is submitted now; raises what `resolved` raises."""
    last_success = await ScheduleStore(conn).last_success(schedule.id)
    at = RunDay(today=schedule.now.astimezone(UTC).date(), last_success=last_success)
    return resolved(schedule.request, at)


async def _record(
    conn: AsyncConnection,
    schedule: Schedule,
    request: IngestionRequest,
    *,
    caller: str,
    key: str | None,
    position: int,
) -> Job | None:
    """Submit a job of the schedule, and remember it there; None where `key` names one."""
    job = await record(
        conn, request, caller=caller, key=key, position=position, schedule_id=schedule.id
    )
    if job is not None:
        ran = {"last_run_at": schedule.now, "last_job_id": job.id}
        await ScheduleStore(conn).change(schedule.id, ran)
    return job
