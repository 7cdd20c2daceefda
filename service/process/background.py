"""Background tasks of a process: run beside the rest, cancelled with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

# A statement that is cut off takes two seconds to end where the server does not answer; one after
# the other they would take longer than there is to stop.
END_SECONDS = 2.5


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Run `work` during the block; yields its tasks.

    At the end of the block they are cancelled together. One that has not ended
    after END_SECONDS is left to end by itself.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_SECONDS)
