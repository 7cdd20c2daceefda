"""More processes behind the same port, so that the API uses more than one core.

Each sibling is a `serve --no-worker` of its own with SO_REUSEPORT: the kernel
spreads connections over them, and they share nothing but the database. One that
ends by itself is started again; none outlives the process that began it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from service import tied

RESTART_SECONDS = 1.0
STOP_SECONDS = 10.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def siblings(count: int) -> AsyncIterator[None]:
    """`count` siblings that serve the API until the end of the block."""
    keepers = [asyncio.create_task(_keep_up()) for _ in range(count)]
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.cancel()
        if keepers:
            await asyncio.wait(keepers)


async def _keep_up() -> None:
    while True:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", tied.__file__, str(os.getpid())),
            *(sys.executable, "-m", "service", "serve", "--no-worker", "--sibling"),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "API_PROCESSES": "1"},
            start_new_session=True,  # Ctrl-C is for us; we stop them in order
        )
        try:
            code = await process.wait()
            _log.warning("API process ended", code=code)
            await asyncio.sleep(RESTART_SECONDS)
        finally:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
