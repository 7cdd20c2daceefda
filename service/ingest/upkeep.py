"""Tidying up after those that died, and what would grow for ever."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from service.domain.errors import DatabaseAway, StorageAway
from service.pdf.store import PdfStore
from service.storage.engine import Database
from service.worker.engine import purge_log

QUEUE_LOG_KEPT = timedelta(days=7)

_log = structlog.get_logger(__name__)


async def keep_tidy(database: Database, store: PdfStore, *, lease: timedelta) -> None:
    """Once in a lease remove abandoned partial files and old log rows, until cancelled.

    A partial file that nobody has touched for two leases has no owner: a crashed
    one would have been taken over by then.
    """
    while True:
        try:
            removed = await store.sweep(older_than=2 * lease)
            async with database.transaction() as conn:
                purged = await _purge(conn)
        except (DatabaseAway, StorageAway) as err:
            _log.warning("not tidied up", code=err.code)
        else:
            if removed or purged:
                _log.info("tidied up", partial_files=removed, queue_log_rows=purged)
        await asyncio.sleep(lease.total_seconds())


async def _purge(conn: AsyncConnection) -> int:
    return await purge_log(conn, older_than=QUEUE_LOG_KEPT)
