"""Supervisor of further API processes on the same port.

Each sibling is a `serve --no-worker` of its own with SO_REUSEPORT: the kernel
spreads connections over them, and they share nothing but the database. One that
ends by itself is started again; none outlives the process that began it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from service.process import parent_death
from service.process.shared_metrics import forget

RESTART_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def siblings(count: int, *, stop_seconds: float) -> AsyncIterator[Callable[[], None]]:
    """`count` siblings that serve the API until the end of the block.

    Yields what tells them to stop sooner; each then drains by itself. One that
    takes longer than `stop_seconds` is killed.
    """
    stopping = asyncio.Event()
    keepers = [
        asyncio.create_task(_keep_up(number, stopping, stop_seconds))
        for number in range(1, count + 1)
    ]
    try:
        yield stopping.set
    finally:
        stopping.set()
        if keepers:
            await asyncio.wait(keepers)


async def _keep_up(number: int, stopping: asyncio.Event, stop_seconds: float) -> None:
    while not stopping.is_set():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", parent_death.__file__, str(os.getpid())),
            *(sys.executable, "-m", "service", "serve", "--no-worker"),
            *("--sibling", str(number)),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "API_PROCESSES": "1"},
            start_new_session=True,  # Ctrl-C is for us; we stop them in order
        )
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            await _stop(process, stop_seconds)
            forget(number)
        if not stopping.is_set():
            _log.warning("API process ended", code=process.returncode)
            with suppress(TimeoutError):
                async with asyncio.timeout(RESTART_SECONDS):
                    await stopping.wait()


async def _stop(process: asyncio.subprocess.Process, seconds: float) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
