"""Poison-PDF detection: quarantines a file after three extractions that killed the worker.

A read is counted in the paper's row while it lasts; a worker that dies leaves
the count behind. Three times are enough to leave a PDF alone, but workers also
die of other causes, many in a row when machines are restarted. So a PDF with
two unfinished reads is a suspect, and its third read is made certain: nothing
else is read beside it, and the worker must have lived for a while, which it
does not while something kills workers anyway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from service.domain.errors import Quarantined, Suspected

MAX_UNFINISHED_READS = 3
SUSPECT_READS = MAX_UNFINISHED_READS - 1


class Readers:
    """The reading processes of this worker: `processes` at once, and `calm` until it is trusted."""

    def __init__(
        self,
        processes: int,
        *,
        calm: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        self._free = asyncio.Semaphore(processes)
        self._alone = asyncio.Lock()
        self._clock = clock
        self._calm_at = clock() + calm.total_seconds()

    def check(self, unfinished_reads: int) -> None:
        """Raise Quarantined for a PDF that has killed enough, Suspected for one that must wait."""
        if unfinished_reads >= MAX_UNFINISHED_READS:
            raise Quarantined("the worker crashed each time it read this PDF")
        wait = self._calm_at - self._clock()
        if unfinished_reads == SUSPECT_READS and wait > 0:
            raise Suspected(timedelta(seconds=wait))

    @asynccontextmanager
    async def turn(self, unfinished_reads: int) -> AsyncIterator[None]:
        """A reading process for the block; a suspect gets them all."""
        if unfinished_reads < SUSPECT_READS:
            async with self._free:
                yield
            return
        async with self._alone:  # two that each hold some would wait for each other
            taken = 0
            try:
                for _ in range(self._processes):
                    await self._free.acquire()
                    taken += 1
                yield
            finally:
                for _ in range(taken):
                    self._free.release()
