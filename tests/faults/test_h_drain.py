"""Stopping with work in hand, whatever hangs: cases 90 and 92."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from service.domain.job import JobStatus
from tests.faults.processes import ended, said, serving


async def test_case_90_a_second_signal_changes_nothing_and_arxiv_may_hang(rig, tools):
    rig.replica.script([{"kind": "hold", "lane": "api", "seconds": 60}])
    async with serving(rig, tools, DRAIN_SECONDS="3") as (process, _, _):
        job_id = await rig.submit()
        await rig.replica.wait_until_held(timeout=30)

        process.send_signal(signal.SIGTERM)
        await said(rig, "draining")
        process.send_signal(signal.SIGTERM)

        assert await ended(process) == 0
    rig.replica.release()
    waiting = await rig.rows("SELECT status::text, execute_after <= now() FROM pgqueuer")
    assert [tuple(row) for row in waiting] == [("queued", True)]
    async with rig.worker():
        assert (await rig.final(job_id)).status is JobStatus.COMPLETED


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
        "from service import first\n"
        "first.step_aside()\n"
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
