"""Startup: migrate the schema and prepare the storage, waiting for whatever is unavailable."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from service.config.settings import Settings, SettingsError
from service.db.engine import create_engine
from service.db.failures import FAILURES, is_transient, reason_of, state_of
from service.db.revision import is_current
from service.domain.errors import StorageUnavailable
from service.domain.outages import OutageLog, Reason
from service.process.resources import pdf_store

START_DELAYS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
NOT_ALLOWED = "42501"  # SQLSTATE insufficient_privilege
LEAVE_SECONDS = 1.0  # for an attempt that is cut off: a hung server takes no leave

_log = structlog.get_logger(__name__)


async def prepared(
    settings: Settings, url: str, stopping: asyncio.Event, outages: OutageLog
) -> bool:
    """Migrate the schema and make the storage, however long it takes; False: asked to stop."""
    engine = create_engine(url, name="arxiv-ingestion migrate", pool_size=1)
    storage = OutageLog("storage", _log)
    try:
        for number in range(10**9):
            if stopping.is_set():
                return False
            if await _unless(stopping, _attempt(settings, engine, outages, storage)):
                return True
            delay = START_DELAYS_SECONDS[min(number, len(START_DELAYS_SECONDS) - 1)]
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await stopping.wait()
        return False
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await engine.dispose()


async def _attempt(
    settings: Settings, engine: AsyncEngine, outages: OutageLog, storage: OutageLog
) -> bool:
    try:
        await _migrate(engine)
        outages.worked()
        await pdf_store(settings).prepare()
    except StorageUnavailable as err:
        storage.failed(Reason(err.code, str(err)))
    except FAILURES as err:
        if state_of(err) == NOT_ALLOWED:
            raise SettingsError({"DATABASE_URL": "names a role that may not make tables"}) from None
        if not is_transient(err):
            raise
        outages.failed(reason_of(err))
    else:
        storage.over()
        return True
    return False


async def _migrate(engine: AsyncEngine) -> None:
    """Bring the schema to this code's revision; Alembic is not even imported where it is there."""
    if await is_current(engine):
        return
    from service.db import migrate  # noqa: PLC0415 - takes long

    await migrate.upgrade(engine)


async def _unless(stopping: asyncio.Event, attempt: Coroutine[Any, Any, bool]) -> bool:
    """What `attempt` returns; False, and it is cut off, as soon as `stopping` is set."""
    trying, told = asyncio.create_task(attempt), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({trying, told}, return_when=asyncio.FIRST_COMPLETED)
        if trying.done():
            return trying.result()
        trying.cancel()
        await asyncio.wait({trying}, timeout=LEAVE_SECONDS)
        return False
    finally:
        told.cancel()
