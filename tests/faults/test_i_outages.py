"""Group I of the fault list, outages that find every place taken: cases 100 and 120.

Every place of every worker holds a task when something that it needs becomes unavailable, for
longer than a lease. When that is back, all jobs and a new one go on, with no restart.
"""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from service.domain.jobs import JobStatus
from tests.faults.outages import OF_OTHERS, OF_THE_DATABASE, REASONS
from tests.faults.processes import until
from tests.faults.servers import login_by_password

PDF_PLACES, HARVEST_PLACES = 2, 2  # of one worker
TAKEN = """
    SELECT 1 FROM (SELECT entrypoint, count(*) AS n FROM pgqueuer WHERE status = 'picked'
    GROUP BY entrypoint) t HAVING count(*) FILTER (WHERE entrypoint = 'pdf' AND n = {pdf}) = 1
    AND count(*) FILTER (WHERE entrypoint = 'harvest' AND n = {harvest}) = 1
"""
HELD = [
    {"kind": "hold", "lane": "pdf", "seconds": 120, "times": 100},
    {"kind": "ok", "lane": "api", "number": 1},
    {"kind": "hold", "lane": "api", "seconds": 120, "times": 100},
]
SECONDS = 150  # until all is done; a lease and a poll, and a busy machine's
slow = pytest.mark.slow_faults
pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    ("outage", "replicas", "lease", "seconds"),
    [
        ("crashed", 1, 2, 4),
        *(pytest.param(o, r, 3, 8, marks=slow) for o in OF_THE_DATABASE for r in (1, 2)),
        *(pytest.param(o, 2, 15, 20, marks=slow) for o in OF_THE_DATABASE),
    ],
)
async def test_case_100_a_database_outage_with_every_place_taken(
    own, own_server, outage, replicas, lease, seconds
):
    async with full_workers(own, own_server, replicas, lease) as (jobs, processes):
        async with OF_THE_DATABASE[outage](own, own_server):
            await asyncio.sleep(seconds)  # the outage itself
        await own.database.engine.dispose()  # the test's own connections, which are dead as well
        await all_goes_on(own, jobs)
        still_there = [process.returncode for process in processes]

    assert still_there == [None] * replicas
    begun, lasting, ended = lines_of_the_outage(own)
    assert [len(begun), len(lasting), len(ended)] == [replicas, 0, replicas]
    assert {line["reason"] for line in begun} <= REASONS[outage]
    await own.assert_sound()


@slow
@pytest.mark.parametrize("outage", list(OF_OTHERS))
@pytest.mark.parametrize("replicas", [1, 2])
async def test_case_100_storage_or_arxiv_gone_with_every_place_taken(
    own, own_server, outage, replicas
):
    async with full_workers(own, own_server, replicas, 3) as (jobs, processes):
        async with OF_OTHERS[outage](own, own_server):
            released = asyncio.create_task(releasing(own.replica))  # so that all meet it
            await asyncio.sleep(8)  # the outage itself
            released.cancel()
        await all_goes_on(own, jobs)
        still_there = [process.returncode for process in processes]

    assert still_there == [None] * replicas
    await own.assert_sound()


@slow
async def test_case_120_an_outage_of_a_minute_is_told_in_three_lines(own, own_server):
    async with full_workers(own, own_server, 1, 3) as (jobs, _):
        async with OF_THE_DATABASE["crashed"](own, own_server):
            await asyncio.sleep(65)  # the outage itself
        await own.database.engine.dispose()
        await all_goes_on(own, jobs)

    begun, lasting, ended = lines_of_the_outage(own)
    assert [len(begun), len(lasting), len(ended)] == [1, 1, 1]
    assert 55 < ended[0]["seconds"] < 120


@asynccontextmanager
async def full_workers(rig, server, replicas, lease):
    """Workers all of whose places hold a task: the unfinished jobs, and the processes."""
    rig.replica.script(HELD)
    jobs = [await rig.submit(max_papers=15)]
    async with AsyncExitStack() as stack:
        login = await stack.enter_async_context(login_by_password(rig, server))
        settings = {"LEASE_SECONDS": str(lease), "PDF_CONCURRENCY": str(PDF_PLACES)}
        processes = [
            await stack.enter_async_context(rig.process(DATABASE_URL=login, **settings))
            for _ in range(replicas)
        ]
        await rig.replica.wait_until_held(timeout=90)  # a PDF: the only page that passes was its
        jobs += [await rig.submit(process_pdfs=False, max_papers=5) for _ in range(2 * replicas)]
        places = {"pdf": PDF_PLACES * replicas, "harvest": HARVEST_PLACES * replicas}
        await until(rig, TAKEN.format(**places), seconds=60)
        yield jobs, processes


async def all_goes_on(rig, jobs):
    """All `jobs` and a new one complete, whatever arXiv still holds."""
    rig.replica.forget_script()
    released = asyncio.create_task(releasing(rig.replica))
    try:
        done = [await rig.final(one, seconds=SECONDS) for one in [*jobs, await rig.submit()]]
    finally:
        released.cancel()
        with suppress(asyncio.CancelledError):
            await released
    assert [(job.status, job.errors_total) for job in done] == [(JobStatus.COMPLETED, 0)] * len(
        done
    )


async def releasing(replica):
    """Let held requests go on, now and again."""
    while True:
        replica.release()
        await asyncio.sleep(0.2)


def lines_of_the_outage(rig):
    """What the workers have logged of it: its beginnings, its lasting, its ends."""
    events = [
        f"database {what}" for what in ("unavailable", "still unavailable", "available again")
    ]
    lines = [json.loads(line) for line in (rig.folder / "worker.log").read_text().splitlines()]
    return [[line for line in lines if line["event"] == event] for event in events]
