"""Runs: what this process has in work, and what becomes of work that is lost."""

import asyncio
import gc
from datetime import timedelta
from uuid import uuid4

import pytest

from service.worker.running import Abandoned, Runs


async def test_lost_work_that_fails_is_abandoned_without_a_complaint_of_asyncio():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))

    async def fail_when_cancelled():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("the outcome could not be written") from None

    work = asyncio.ensure_future(fail_when_cancelled())
    with Runs(timedelta(seconds=3)).begun(1, uuid4(), work) as run:
        await asyncio.sleep(0)
        run.is_lost = True
        work.cancel()
        with pytest.raises(Abandoned):
            await run.outcome()
    del work, run
    gc.collect()

    assert complaints == []
