"""Workers killed again and again at moments that a seed decides: the same result as undisturbed.

The moments are counted in changes of jobs, not in seconds, so that they fall
into the work however fast the machine is.
"""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack

import asyncpg
import pytest

from service.db.addresses import libpq_url
from service.domain.jobs import Criteria, JobStatus

JOBS = 5
PAPERS = 8  # of each job; no two jobs share one, or their counters would depend on who was first
KILLS = 10
WORKERS = 2
WITH_HTML = 11  # the seed whose jobs want HTML, too


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [pytest.param(7, marks=pytest.mark.slow_faults), WITH_HTML])
async def test_ten_kills_change_nothing(rig, seed):
    gold = await everything(rig, kills=0, seed=seed)
    await rig.forget()

    chaos = await everything(rig, kills=KILLS, seed=seed)

    for disturbed, undisturbed in zip(chaos, gold, strict=True):
        for what, rows in undisturbed.items():
            assert disturbed[what] == rows, what
    await rig.assert_sound()


async def everything(rig, *, kills, seed):
    """What all jobs bring about while workers are killed `kills` times."""
    rig.replica.log.clear()
    corpus = rig.replica.corpus
    wanted = [corpus.id_of(number) for number in range(JOBS * PAPERS)]
    ids = [
        await rig.submit(
            criteria=Criteria(ids=tuple(wanted[first : first + PAPERS]), page_size=3),
            max_papers=PAPERS,
            batch_size=2,
            process_html=seed == WITH_HTML,
        )
        for first in range(0, JOBS * PAPERS, PAPERS)
    ]
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(rig.process()) for _ in range(WORKERS)]
        chance = random.Random(seed)
        changes = await stack.enter_async_context(Changes(rig.url))
        for _ in range(kills):
            await changes.count(chance.randint(1, 6))
            number = chance.randrange(WORKERS)
            os.killpg(workers[number].pid, signal.SIGKILL)
            await asyncio.wait_for(workers[number].wait(), 60)
            workers[number] = await stack.enter_async_context(rig.process())
        jobs = [await rig.final(job_id, seconds=120) for job_id in ids]
        await no_task_left(rig)

    assert {job.status for job in jobs} == {JobStatus.COMPLETED}
    return [await rig.result(job_id) for job_id in ids]


async def no_task_left(rig):
    """Return once the queue is empty: tasks of expired leases are taken over within their lease."""
    async with asyncio.timeout(60):
        while await rig.rows("SELECT pg_sleep(0.05) FROM pgqueuer LIMIT 1"):
            pass


class Changes:
    """Counts changes of jobs, or the seconds in which none comes."""

    def __init__(self, url):
        self._url = url
        self._seen = asyncio.Queue()

    async def __aenter__(self):
        self._connection = await asyncpg.connect(libpq_url(self._url))
        await self._connection.add_listener("job_changed", lambda *_: self._seen.put_nowait(None))
        return self

    async def __aexit__(self, *_):
        await self._connection.close()

    async def count(self, number):
        """Return after `number` changes, or when nothing changes for a while."""
        for _ in range(number):
            try:
                await asyncio.wait_for(self._seen.get(), 4)
            except TimeoutError:
                return
