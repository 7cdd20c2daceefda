"""Group E of the fault list: killed anywhere, a job ends as if nothing had happened."""

import asyncio
import os
import signal

import psutil
import pytest

from service.domain.jobs import JobStatus
from tests.faults.processes import undisturbed
from tests.jobs.conftest import TAKES_OVER, kill

TAKEOVER_SECONDS = 100  # 4 s of lease and poll, up to 5 s of a lock; the rest for a busy machine


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"lane": "api", "number": 1}, id="b asking for the first page"),
        pytest.param({"lane": "api", "number": 2}, id="c between two pages"),
        pytest.param({"lane": "pdf", "number": 4, "after_bytes": 800}, id="e in a download"),
        pytest.param({"lane": "pdf", "number": 9}, id="e asking for a PDF"),
    ],
)
async def test_case_69_a_killed_worker_leaves_nothing_undone_or_done_twice(rig, step):
    gold = await undisturbed(rig)
    rig.replica.script([{"kind": "hold", "seconds": 60, **step}])
    job_id = await rig.submit()

    async with rig.process() as first:
        await rig.replica.wait_until_held(timeout=90)
        await kill(first)
        (row,) = await rig.rows("SELECT checkpoint FROM jobs WHERE id = :job", job=job_id)
        rig.replica.release()
        async with rig.process():
            job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert await rig.result(job_id) == gold
    assert job.resumed >= 1
    checkpoint = row.checkpoint["state"]["offset"] if row.checkpoint else 0
    asked = _offsets(rig)
    assert all(asked.count(offset) == 1 for offset in asked if offset < checkpoint)
    assert max(asked.count(offset) for offset in asked) <= 2
    await rig.assert_sound()


def _offsets(rig):
    """The `start` of each API request that has ended."""
    paths = [record.path for record in rig.replica.log.since(lane="api")]
    return [int(path.split("start=")[1].split("&")[0]) for path in paths]


@pytest.mark.parametrize("table", ["papers", "job_papers", "jobs"])
async def test_case_69bd_killed_in_a_transaction_that_waits_for_a_lock(rig, table):
    """`jobs`: after the claim, before its start is counted; the others: inside the upsert."""
    gold = await undisturbed(rig)
    job_id = await rig.submit()

    async with rig.process() as first:
        async with rig.database.transaction() as conn:
            await conn.exec_driver_sql(f"LOCK TABLE {table} IN SHARE MODE")
            await _until_somebody_waits(conn)
            await kill(first)
        async with rig.process():
            await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert await rig.result(job_id) == gold
    await rig.assert_sound()


async def _until_somebody_waits(conn):
    """Return once another session waits for a lock."""
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(60):
        while not (await conn.exec_driver_sql(sql)).scalar_one():
            await conn.exec_driver_sql("SELECT pg_sleep(0.02)")


@pytest.mark.slow
async def test_case_69_a_server_killed_in_the_middle_goes_on_after_its_restart(rig, tmp_path):
    """The default lease of 15 s: the job ends within 30 s of the restart."""
    gold = await undisturbed(rig)
    job_id = await rig.submit()

    async with rig.process("serve", LEASE_SECONDS="15", ARXIV_PDF_PER_SECOND="4") as first:
        await rig.until(job_id, lambda job: job.pdfs_processed >= 2)
        await kill(first)
    before = await rig.job(job_id)
    async with rig.process("serve", LEASE_SECONDS="15"):
        after = await rig.final(job_id, seconds=30)

    assert before.status is JobStatus.RUNNING
    assert after.pdfs_processed > before.pdfs_processed
    assert await rig.result(job_id) == gold
    await rig.assert_sound()


async def test_case_69_killed_again_and_again_the_job_still_ends_right(rig):
    gold = await undisturbed(rig)
    rig.replica.script(
        [{"kind": "hold", "seconds": 60, "lane": "pdf", "number": n} for n in (2, 12)]
    )
    job_id = await rig.submit()

    for _ in range(2):
        async with rig.process() as process:
            await rig.replica.wait_until_held(timeout=TAKEOVER_SECONDS)
            await kill(process)
            rig.replica.release()
    async with rig.process():
        await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert await rig.result(job_id) == gold
    await rig.assert_sound()


async def test_a_stopped_worker_hands_back_and_another_goes_on_at_once(rig):
    rig.replica.script([{"kind": "hold", "seconds": 60, "lane": "pdf", "number": 3}])
    job_id = await rig.submit()

    async with rig.process(DRAIN_SECONDS="1") as first:
        await rig.replica.wait_until_held(timeout=90)
        first.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(first.wait(), 60)
        rig.replica.release()
        async with rig.process(LEASE_SECONDS="600"):
            job = await rig.final(job_id, seconds=90)  # far less than the lease

    assert code == 0
    assert job.status is JobStatus.COMPLETED
    assert job.resumed == 0
    await rig.assert_sound()


async def test_a_worker_stopped_until_it_was_thought_dead_changes_nothing_when_continued(rig):
    gold = await undisturbed(rig)
    rig.replica.script([{"kind": "hold", "seconds": 60, "lane": "api", "number": 2}])
    job_id = await rig.submit()

    async with rig.process() as stopped:
        await rig.replica.wait_until_held(timeout=90)
        os.kill(stopped.pid, signal.SIGSTOP)
        async with rig.process():
            await rig.final(job_id, seconds=60)  # it may have been stopped with a lock in hand
            rig.replica.release()
            os.kill(stopped.pid, signal.SIGCONT)
            stopped.send_signal(signal.SIGTERM)
            await asyncio.wait_for(stopped.wait(), 60)

    assert await rig.result(job_id) == gold
    await rig.assert_sound()


async def test_case_61_a_pdf_that_takes_its_worker_along_three_times_is_left_alone(rig):
    """Died while it was read, each time: the paper fails, and nobody reads it a fourth time."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)
    async with rig.process() as process:
        await rig.replica.wait_until_held(timeout=90)
        await kill(process)
    rig.replica.release()
    await rig.rows(
        "UPDATE job_papers SET unfinished_reads = 3, attempts = attempts + 2 RETURNING 1"
    )
    async with rig.worker(**TAKES_OVER):
        job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
    assert [(error.code, error.stage) for error in job.errors] == [("quarantined", "pdf_download")]
    assert job.pdfs_failed == 1


async def test_case_69g_a_read_is_counted_while_it_lasts_and_no_longer(rig):
    """A worker killed while its child reads leaves the count behind, committed."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 2, "seconds": 60}])
    job_id = await rig.submit(max_papers=2)

    async with rig.process() as process:
        await rig.replica.wait_until_held(timeout=90)
        await rig.until(job_id, lambda job: job.pdfs_processed == 1)
        (child,) = psutil.Process(process.pid).children()
        child.suspend()
        rig.replica.release()
        async with asyncio.timeout(60):
            while not await rig.rows("SELECT 1 FROM job_papers WHERE unfinished_reads = 1"):
                await rig.rows("SELECT pg_sleep(0.02)")
        await kill(process)
        psutil.wait_procs([child], timeout=10)

    rows = await rig.rows("SELECT attempts, failures, unfinished_reads, state FROM job_papers")
    assert sorted(map(tuple, rows)) == [(1, 0, 0, "processed"), (1, 0, 1, "pending")]
    assert not child.is_running()
