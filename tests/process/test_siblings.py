"""`API_PROCESSES`: several processes behind one port, and what becomes of them together."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager

import aiohttp
import psutil

from tests.faults.processes import answered, ended, headers, said, serving


@asynccontextmanager
async def several(rig, tools, **changes):
    """A service of two API processes, both of which answer: the first, its URL and a client."""
    async with serving(rig, tools, API_PROCESSES="2", **changes) as (process, url, client):
        await until_answered_by(client, url, lambda found: len(found) == 2)
        yield process, url, client


async def answering(url) -> set[str]:
    """The processes that new connections, one after the other, come by.

    Each begins the ids of its requests with a text of its own.
    """
    found = set()
    for _ in range(30):
        async with aiohttp.ClientSession() as client, client.get(f"{url}/healthz") as answer:
            found.add(answer.headers["X-Request-ID"].partition("-")[0])
    return found


async def until_answered_by(client, url, wanted, seconds=60) -> set[str]:
    """The processes that answer, once they are as `wanted`."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if wanted(found := await answering(url)):
                    return found
            except aiohttp.ClientError:  # one of them has just ended
                pass
            await asyncio.sleep(0.05)


def siblings_of(process) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    return [one for one in children if "--sibling" in one.cmdline()]


def lines(rig, event) -> list[dict]:
    log = (rig.folder / "serve.log").read_text().splitlines()
    return [json.loads(line) for line in log if f'"event": "{event}"' in line]


async def test_both_serve_the_port_and_one_of_them_works(rig, tools):
    async with several(rig, tools) as (process, url, _client):
        assert len(siblings_of(process)) == 1
        assert len(await answering(url)) == 2

        job_id = await rig.submit()
        path = f"{url}/api/v1/ingestion/job/{job_id}"
        for _ in range(20):
            async with (
                aiohttp.ClientSession(headers=headers()) as alone,
                alone.get(path) as answer,
            ):
                assert answer.status == 200
                assert (await answer.json())["job_id"] == str(job_id)
        await said(rig, "worker started")
        assert len(lines(rig, "worker started")) == 1


async def test_one_that_ends_is_started_again_and_the_port_serves_all_the_while(rig, tools):
    async with several(rig, tools) as (process, url, client):
        (sibling,) = siblings_of(process)
        before = await answering(url)

        sibling.kill()
        found = await until_answered_by(
            client, url, lambda found: len(found) == 2 and found != before
        )

        assert len(found & before) == 1
        assert await answered(client, f"{url}/readyz") == 200
        assert [line["code"] for line in lines(rig, "API process ended")] == [-signal.SIGKILL]


async def test_both_drain_at_the_first_signal_and_none_is_left(rig, tools):
    async with several(rig, tools, DRAIN_DELAY_SECONDS="0") as (process, url, client):
        (sibling,) = siblings_of(process)

        process.send_signal(signal.SIGTERM)
        code = await ended(process)

        assert code == 0
        assert not psutil.pid_exists(sibling.pid)
        assert await answered(client, f"{url}/healthz") is None
    assert [len(lines(rig, event)) for event in ("draining", "stopped")] == [2, 2]
    assert lines(rig, "API process ended") == []


async def test_a_sibling_does_not_outlive_the_process_that_began_it(rig, tools):
    async with several(rig, tools, DRAIN_DELAY_SECONDS="0") as (process, _url, _client):
        (sibling,) = siblings_of(process)

        process.kill()
        await ended(process)
        await asyncio.to_thread(psutil.wait_procs, [sibling], 30)

        assert not sibling.is_running()
