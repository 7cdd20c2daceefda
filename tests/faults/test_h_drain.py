"""Stopping with work in hand, whatever hangs: cases 90 and 92."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import aiohttp
import pytest
from aiohttp import web

from service.domain.jobs import Criteria, JobStatus
from service.process.build_api import build_api
from tests.api.conftest import RULES, bearer, token
from tests.faults.processes import (
    STANDING,
    answered,
    ended,
    said,
    serving,
    status_of,
    until_somebody_waits,
)
from tests.faults.servers import frozen


async def test_case_90_a_second_signal_changes_nothing_and_arxiv_may_hang(rig, tools):
    rig.replica.script([{"kind": "hold", "lane": "api", "seconds": 60}])
    async with serving(rig, tools, DRAIN_SECONDS="3") as (process, _, _):
        job_id = await rig.submit()
        await rig.replica.wait_until_held(timeout=90)

        process.send_signal(signal.SIGTERM)
        await said(rig, "draining")
        process.send_signal(signal.SIGTERM)

        assert await ended(process) == 0
    rig.replica.release()
    waiting = await rig.rows("SELECT status::text, execute_after <= now() FROM pgqueuer")
    assert [tuple(row) for row in waiting] == [("queued", True)]
    async with rig.worker():
        assert (await rig.final(job_id)).status is JobStatus.COMPLETED


@pytest.mark.slow_faults
async def test_case_90_a_database_that_hangs_does_not_hold_the_stop_up(own, own_server, tools):
    """Nothing can be released, and the tasks are left to their lease, whatever is signalled."""
    own.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    async with serving(own, tools, DRAIN_SECONDS="20") as (process, _, _):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)
        with frozen(own_server):
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            await said(own, "draining")
            process.send_signal(signal.SIGTERM)
            code = await ended(process)
            print(f"exit {code} after {time.monotonic() - begun:.1f} s of 20")
    own.replica.release()
    await own.database.engine.dispose()
    async with own.worker():
        job = await own.final(job_id)

    assert code == 0
    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    await own.assert_sound()


LISTENING = """
    SELECT 1 FROM pg_stat_activity WHERE application_name = 'arxiv-ingestion listen'
    AND query LIKE 'LISTEN%' HAVING count(*) = 2
"""
HANDED_BACK = """
    SELECT extract(epoch FROM max(updated) - :gone)::float AS taken_after_exit,
    extract(epoch FROM max(updated) - (SELECT max(created) FROM pgqueuer_log
    WHERE status = 'queued' AND traceback IS NOT NULL))::float AS taken_after_return
    FROM pgqueuer WHERE status = 'picked'
"""


@pytest.mark.slow_faults
async def test_case_90_what_is_handed_back_is_taken_up_by_another_at_once(rig):
    """By a worker to whom its lease would be no help: that would last ten minutes."""
    paper = rig.replica.corpus.id_of(0)
    held = {"kind": "hold", "lane": "pdf", "match": str(paper), "seconds": 60, "times": 2}
    rig.replica.script([held])
    job_id = await rig.submit(criteria=Criteria(ids=(paper,)), max_papers=1)
    async with rig.process(DRAIN_SECONDS="2") as first:
        await rig.replica.wait_until_held(timeout=90)
        async with rig.process(LEASE_SECONDS="600"):
            async with asyncio.timeout(30):
                while not await rig.rows(LISTENING):
                    await rig.rows("SELECT pg_sleep(0.05)")
            first.send_signal(signal.SIGTERM)
            code = await ended(first)
            ((gone,),) = await rig.rows("SELECT clock_timestamp()")
            await rig.replica.wait_until_held(timeout=90)
            (seconds,) = await rig.rows(HANDED_BACK, gone=gone)
            rig.replica.release()
            job = await rig.final(job_id)

    print(
        f"taken up {seconds.taken_after_return:.3f} s after it was released,"
        f" {seconds.taken_after_exit:+.3f} s after the exit"
    )
    assert code == 0
    assert (job.status, job.pdfs_processed, job.resumed) == (JobStatus.COMPLETED, 1, 0)


async def test_case_92_a_plain_runner_drains_when_it_is_cleaned_up(api_database, store, rig):
    """As in a program that starts the application by itself, and handles signals as it likes."""
    ((job,),) = await rig.rows(STANDING)
    path = f"/api/v1/ingestion/job/{job}"
    runner = web.AppRunner(build_api(RULES, api_database, store), shutdown_timeout=20)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = site.name
    async with aiohttp.ClientSession(url, headers=bearer(token())) as client:
        async with client.get(f"{path}/events") as stream, rig.database.engine.begin() as conn:
            await stream.content.readuntil(b"\r\n\r\n")
            await conn.exec_driver_sql("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.create_task(status_of(client.get("/api/v1/ingestion/jobs")))
            await until_somebody_waits(rig)

            cleaning = asyncio.create_task(runner.cleanup())
            await stream.read()
            assert not cleaning.done()
            async with asyncio.timeout(60), aiohttp.ClientSession() as other:
                while await answered(other, f"{url}/healthz") is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0)
        assert await reading == 200
        async with asyncio.timeout(20):
            await cleaning


def has_namespaces():
    tried = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False)
    return tried.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
async def test_case_92_the_first_process_takes_orphans_in_and_passes_signals_on(rig):
    """As in a container: `sh` leaves an orphan behind, and the service must bury it."""
    if not await asyncio.to_thread(has_namespaces):
        pytest.skip("no process namespaces here")
    code = (
        "import os, subprocess, time\n"
        "from service.process import pid_one\n"
        "pid_one.run_as_child_of_pid_one()\n"
        "subprocess.run(['/bin/sh', '-c', 'sleep 0.1 &'], check=True)\n"
        "until = time.monotonic() + 20\n"
        "def others():\n"
        "    return set(p for p in os.listdir('/proc') if p.isdigit()) - {'1', str(os.getpid())}\n"
        "while others() and time.monotonic() < until: time.sleep(0.05)\n"
        "print('left', sorted(others()), flush=True)\n"
        "os.kill(1, 15); time.sleep(20)\n"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=rig.environment()
    )

    out, _ = await asyncio.wait_for(process.communicate(), 60)

    assert out.decode().strip() == "left []"
    assert process.returncode == 128 + signal.SIGTERM
