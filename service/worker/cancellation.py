"""Cancellation: stops tasks in this process whose job is finished.

A job may be cancelled on any replica, or in psql. Each worker looks every
second whether the jobs that it works for still run, in one query. NOTIFY would
be quicker and may be lost; a look cannot.
"""

import asyncio
from datetime import timedelta

import structlog

from service.db.engine import Database
from service.db.jobs import JobStore
from service.domain.errors import DatabaseUnavailable
from service.worker.engine import Engine

LOOK_EVERY = timedelta(seconds=1)

_log = structlog.get_logger(__name__)


async def stop_final_jobs(engine: Engine, database: Database) -> None:
    """Cancel this process's tasks of jobs that have become finished, until cancelled itself."""
    while True:
        await asyncio.sleep(LOOK_EVERY.total_seconds())
        working_for = sorted(engine.running_jobs())
        if not working_for:
            continue
        try:
            async with database.transaction() as conn:
                final = await JobStore(conn).final_among(working_for)
        except DatabaseUnavailable:
            continue
        for job_id in final:
            _log.info("work stopped, job finished", job_id=str(job_id))
            engine.cancel_job(job_id)
