"""Case 107: a log that nobody reads, or whose reader has gone, holds up nothing."""

import asyncio
import os
import signal
import subprocess
import sys

import aiohttp
import pytest

from tests.api.conftest import PREFIX, RULES, bearer, token
from tests.cli.conftest import clean_environ, free_port
from tests.faults.processes import until_ready

REQUESTS = 1500  # some 400 kB of lines; a pipe takes 64


@pytest.mark.parametrize("reader", ["reads nothing", "has gone"])
async def test_case_107_a_log_pipe_that_nobody_reads(database, database_url, tmp_path, reader):
    port = free_port()
    environ = clean_environ(
        DATABASE_URL=database_url,
        DATA_DIR=tmp_path,
        PORT=port,
        JWT_SECRET=RULES.key,
        LOG_LEVEL="DEBUG",
    )
    outlet, inlet = os.pipe()
    process = subprocess.Popen(  # noqa: ASYNC220 - its standard error is a pipe of ours
        [sys.executable, "-m", "service", "serve", "--no-worker"],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=inlet,
        restore_signals=True,
    )
    os.close(inlet)
    if reader == "has gone":
        os.close(outlet)
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession(url, headers=bearer(token())) as client:
            await until_ready(client, url)
            answers = [await _status(client) for _ in range(REQUESTS)]
            async with client.get("/metrics") as answer:
                figures = await answer.text()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 60)
    finally:
        process.kill()
        process.wait()
        if reader == "reads nothing":
            os.close(outlet)

    assert set(answers) == {200}
    assert code == 0
    dropped = [line for line in figures.splitlines() if "log_lines_dropped_total" in line]
    assert reader == "reads nothing" or float(dropped[-1].split()[-1]) > 0


async def _status(client: aiohttp.ClientSession) -> int:
    async with client.get(f"{PREFIX}/jobs") as answer:
        return answer.status
