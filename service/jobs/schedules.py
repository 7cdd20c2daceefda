"""Scheduler: each due run of a schedule becomes exactly one job.

The workers poll every second, by the database's clock. Who locks the row of a
schedule submits its job and moves it to its next run in one transaction; the
job's idempotency key names the run, so that it cannot come twice even if an
operator turns the row back. Moments that were missed run once, together; one for
whose job there is no room is left out.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.callers import CallerStore
from service.db.engine import Database
from service.db.schedules import ScheduleStore
from service.domain.errors import Conflict, DatabaseUnavailable, Overloaded, QuotaExceeded
from service.domain.jobs import IngestionRequest, Job
from service.jobs.cron import next_run
from service.jobs.events import log_created
from service.jobs.quotas import Quotas
from service.jobs.submit import record

LOOK_EVERY = timedelta(seconds=1)
MAX_RUNS = 100  # in one poll, so that a thousand due at once do not hold up a stop
MAX_PER_CALLER = 100
NOBODY = "schedule"  # who submits what an operator scheduled in SQL

_log = structlog.get_logger(__name__)


async def add_schedule(
    conn: AsyncConnection, wanted: Mapping[str, Any], *, caller: str
) -> Row[Any]:
    """Record a schedule of `name`, `cron`, `request` and `is_paused`.

    Raises Conflict when there is one of that name, or `caller` has MAX_PER_CALLER.
    """
    store = ScheduleStore(conn)
    await CallerStore(conn).take_slot(caller)  # for the count to be exact
    if await store.count_of(caller) >= MAX_PER_CALLER:
        raise Conflict(f"You have {MAX_PER_CALLER} schedules, as many as a caller may have")
    next_run_at = None if wanted["is_paused"] else next_run(wanted["cron"], await store.now())
    values = {**wanted, "request": wanted["request"].dump()}
    return await store.add({**values, "created_by": caller, "next_run_at": next_run_at})


async def change_schedule(
    conn: AsyncConnection, before: Row[Any], wanted: Mapping[str, Any]
) -> Row[Any]:
    """Change a schedule whose row `before` is locked; raises Conflict.

    Its next run is computed anew if the expression changed or it was paused:
    what was missed meanwhile is not made up for.
    """
    values = dict(wanted)
    if "request" in values:
        values["request"] = values["request"].dump()
    cron = values.get("cron", before.cron)
    if values.get("is_paused", before.is_paused):
        values["next_run_at"] = None
    elif before.is_paused or cron != before.cron:
        values["next_run_at"] = next_run(cron, before.now)
    return await ScheduleStore(conn).change(before.id, values) if values else before


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
            due = await ScheduleStore(conn).take_due()
            job = None if due is None else await _run(conn, due, admission)
        if due is None:
            break
        if job is not None:
            admission.note_accepted()
            submitted.append(job.id)
            log_created(job)
            _log.info("schedule ran", schedule_id=str(due.id), job_id=str(job.id))
    return submitted


async def _run(conn: AsyncConnection, due: Row[Any], admission: Quotas) -> Job | None:
    """Submit the job of a schedule that is locked and due, and move it on; the job.

    None when there is nothing to submit: the schedule is new and only gets its
    next run, the job of this run exists, there is no room for it, or nobody
    can read it.
    """
    store = ScheduleStore(conn)
    try:
        following = next_run(due.cron, due.now)
        request = IngestionRequest.load(due.request)
    except (KeyError, TypeError, ValueError):
        _log.error("schedule invalid, paused", schedule_id=str(due.id))
        await store.change(due.id, {"is_paused": True, "next_run_at": None})
        return None
    if due.next_run_at is None:
        await store.change(due.id, {"next_run_at": following})
        return None
    caller = due.created_by or NOBODY
    key = f"schedule:{due.id}:{due.next_run_at.isoformat()}"
    try:
        position = await admission.admit(conn, caller)
    except (QuotaExceeded, Overloaded) as err:
        _log.warning("schedule run skipped", schedule_id=str(due.id), reason=str(err))
        await store.change(due.id, {"next_run_at": following})
        return None
    job = await record(conn, request, caller=caller, key=key, position=position)
    ran = {} if job is None else {"last_run_at": due.now, "last_job_id": job.id}
    await store.change(due.id, {"next_run_at": following, **ran})
    return job
