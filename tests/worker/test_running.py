"""Runs: what this process has in work, and what becomes of work that is lost."""

import asyncio
import gc
from datetime import timedelta
from uuid import uuid4

import pytest

from service.domain.outcomes import Snooze, Succeed
from service.worker.leases import GIVE_UP_AT, LeaseLost, Leases

LEASE = timedelta(seconds=3)


async def test_lost_work_that_fails_is_abandoned_without_a_complaint_of_asyncio():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))

    async def fail_when_cancelled():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("the outcome could not be written") from None

    work = asyncio.ensure_future(fail_when_cancelled())
    with Leases(LEASE).begun(1, "pdf", uuid4(), work) as run:
        await asyncio.sleep(0)
        run.is_lost = True
        work.cancel()
        with pytest.raises(LeaseLost):
            await run.outcome()
    del work, run
    gc.collect()

    assert complaints == []


@pytest.mark.parametrize(
    ("is_unwanted", "expected"), [(False, Snooze(timedelta(0))), (True, Succeed())]
)
async def test_lost_work_that_was_stopped_is_given_back(is_unwanted, expected):
    work = asyncio.ensure_future(asyncio.sleep(60))
    with Leases(LEASE).begun(1, "pdf", uuid4(), work) as run:
        run.is_lost, run.is_unwanted = True, is_unwanted
        work.cancel()

        assert await run.outcome() == expected


async def test_only_a_task_whose_lease_still_runs_is_renewed():
    """A worker that was stopped for long comes to its heartbeat before it knows what it lost."""
    now = asyncio.get_running_loop().time()
    given_up = now - GIVE_UP_AT * LEASE.total_seconds()
    runs = Leases(LEASE)
    runs.claimed([1], at=now)
    runs.claimed([2], at=given_up + 1)
    runs.claimed([3], at=given_up)

    assert runs.held([1, 2, 3, 4]) == [1, 2]
