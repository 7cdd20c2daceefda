"""Maintenance: removes partial files of crashed workers and old jobs, requeues lost tasks.

Beside that, rows and files are compared, a few with each round, and old rows get their
words for the search.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

from service.db.engine import Database
from service.db.jobs import JobStore
from service.db.workers import WorkerStore
from service.domain.checkpoint import Checkpoint
from service.domain.errors import DatabaseUnavailable, StorageUnavailable
from service.domain.jobs import DOCUMENTS, Job
from service.files.store import PdfStore
from service.jobs.maintenance.file_check import FileCheck
from service.jobs.maintenance.retention import remove_old_jobs, tend_changes
from service.jobs.maintenance.search_backfill import backfill_search
from service.jobs.maintenance.search_index import IndexMerge
from service.jobs.tasks import HTML, harvest_task, html_task, pdf_task
from service.jobs.webhooks.delivery import queue_overdue
from service.worker.engine import enqueue, purge_log
from service.worker.task import Task

QUEUE_LOG_KEPT = timedelta(days=7)
STRANDED_AT_ONCE = 500
REMOVALS_AT_ONCE = 20  # steps; the next round goes on

_log = structlog.get_logger(__name__)


async def run_maintenance(
    database: Database,
    store: PdfStore,
    *,
    lease: timedelta,
    jobs_kept: timedelta | None,
    changes_kept: timedelta | None,
) -> None:
    """Run maintenance once in a lease, until cancelled.

    Finished jobs are kept for `jobs_kept`, changes of papers for `changes_kept` (None: for ever).

    A partial file that nobody has touched for two leases has no owner: a crashed
    one would have been taken over by then.
    """
    reconciler = FileCheck(database, store)
    merge = IndexMerge(database)
    while True:
        try:
            removed = await store.sweep(older_than=2 * lease)
            async with database.transaction() as conn:
                purged = await purge_log(conn, older_than=QUEUE_LOG_KEPT)
                await WorkerStore(conn).remove_silent()
            queued = await queue_orphaned(database)
            queued += await queue_overdue(database, age=2 * lease, limit=STRANDED_AT_ONCE)
            old = await _remove_old_jobs(database, jobs_kept)
            trimmed = await tend_changes(database, older_than=changes_kept)
        except DatabaseUnavailable as err:
            _log.debug("maintenance failed", code=err.code)
        except StorageUnavailable as err:
            _log.warning("maintenance failed", code=err.code)
        else:
            counts = {"partial_files": removed, "queue_log_rows": purged, "tasks": queued}
            counts |= {"old_jobs": old, "old_changes": trimmed}
            if any(counts.values()):
                _log.info("maintenance finished", **counts)
        await _reconcile(reconciler)
        await _backfill(database, merge)
        await asyncio.sleep(lease.total_seconds())


async def _reconcile(reconciler: FileCheck) -> None:
    """Apart from the rest: a bucket that may not be listed holds up nothing else."""
    try:
        counts = await reconciler.step()
    except DatabaseUnavailable as err:
        _log.debug("files not compared", code=err.code)
    except StorageUnavailable as err:
        _log.warning("files not compared", code=err.code, error=str(err))
    else:
        if any(counts.values()):
            _log.info("files compared", **counts)


async def _backfill(database: Database, merge: IndexMerge) -> None:
    try:
        rows = await backfill_search(database)
        await merge.step()
    except DatabaseUnavailable as err:
        _log.debug("search backfill failed", code=err.code)
    else:
        if rows:
            _log.info("search backfill continued", **rows)


async def _remove_old_jobs(database: Database, kept: timedelta | None) -> int:
    if kept is None:
        return 0
    return (await remove_old_jobs(database, older_than=kept, most_steps=REMOVALS_AT_ONCE)).jobs


async def queue_orphaned(database: Database) -> int:
    """Queue the work of running jobs that no task would do any more; returns how many tasks.

    A task too many does no harm: the checkpoint and the states of papers let only
    one change anything.
    """
    async with database.transaction() as conn:
        stranded = await JobStore(conn).list_orphaned(limit=STRANDED_AT_ONCE)
        running = await JobStore(conn).lock(sorted({row.job_id for row in stranded}))
        jobs = await JobStore(conn).get_many(sorted(running))
        lost = [(jobs[row.job_id], row) for row in stranded if row.job_id in jobs]
        return await enqueue(conn, [_task(job, row.arxiv_id, row.kind) for job, row in lost])


def _task(job: Job, arxiv_id: str | None, kind: str) -> Task:
    """The task of this kind for one paper of `job`, or for its next page."""
    position = job.papers_fetched
    if arxiv_id is None:
        return harvest_task(job.id, job.priority, _next_step(job), position=position)
    again = not job.request.get("skip_duplicates", True)
    make = html_task if kind == HTML else pdf_task
    is_local = job.request.get("source") == DOCUMENTS
    return make(job.id, job.priority, arxiv_id, position=position, again=again, is_local=is_local)


def _next_step(job: Job) -> int | None:
    """Number of the step at which the harvest of `job` stands; None where that cannot be told."""
    if job.checkpoint is None:
        return 0
    with suppress(ValueError):
        return Checkpoint.load(job.checkpoint).task
    return None
