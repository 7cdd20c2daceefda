"""Group I of the fault list, stopping with a database that hangs: case 106."""

import signal
import time

import pytest

from tests.faults.processes import ended, said
from tests.faults.servers import frozen

HELD = {"kind": "hold", "lane": "pdf", "seconds": 60, "times": 20}
DRAIN_SECONDS = 5
BUSY_SECONDS = 20  # that a busy machine may take besides; a stop that waits takes far longer


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_case_106_a_hung_database_does_not_hold_up_a_stop(own, own_server, tools, command):
    """With every place taken; what is in work cannot be written down, and is left to its lease."""
    own.replica.script([HELD])
    settings = {"PORT": str(tools.free_port()), "DRAIN_SECONDS": str(DRAIN_SECONDS)}
    async with own.process(command, **settings) as process:
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)
        with frozen(own_server):
            await said(own, "lease not renewed in time", command)
            took = await seconds_to_stop(process)
        own.replica.forget_script()
        own.replica.release()

    assert took <= DRAIN_SECONDS + BUSY_SECONDS
    async with own.process("worker"):
        job = await own.final(job_id)
    assert job.status == "completed"
    await own.assert_sound()


async def test_case_106_a_hung_database_does_not_hold_up_a_stop_at_start(own, own_server, tools):
    with frozen(own_server):
        async with own.process("serve", PORT=str(tools.free_port())) as process:
            await said(own, "listening", seconds=60)
            took = await seconds_to_stop(process)

    assert took <= DRAIN_SECONDS + BUSY_SECONDS


async def seconds_to_stop(process):
    """How long the process takes to end in order."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == 0
    took = time.monotonic() - begun
    print(f"stopped in {took:.2f} s")
    return took
