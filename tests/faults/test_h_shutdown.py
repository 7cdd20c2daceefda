"""Stopping while callers are served: cases 90 and 91."""

import asyncio
import itertools
import signal
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.faults.processes import (
    STANDING,
    answered,
    ended,
    headers,
    said,
    serving,
    status_of,
    until_ready,
    until_somebody_waits,
)

READS_PER_SECOND = 200


async def test_case_90_idle_it_ends_without_waiting_for_a_balancer(rig, tools):
    async with serving(rig, tools, DRAIN_DELAY_SECONDS="600", DRAIN_SECONDS="1200") as service:
        process, _, _ = service

        process.send_signal(signal.SIGTERM)

        assert await ended(process) == 0  # in a second; the delay would be ten minutes


async def test_case_90_a_request_in_flight_is_answered(rig, tools):
    async with serving(rig, tools, DRAIN_SECONDS="30") as (process, url, client):
        async with rig.database.engine.begin() as conn:
            await conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            await conn.exec_driver_sql("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            path = f"{url}/api/v1/ingestion/jobs"
            reading = asyncio.create_task(status_of(client.get(path, headers=headers())))
            await until_somebody_waits(rig)
            process.send_signal(signal.SIGTERM)
            await said(rig, "draining")

        assert await reading == 200
        assert await ended(process) == 0


async def test_case_90_those_who_wait_do_not_hold_it_up(rig, tools):
    ((job,),) = await rig.rows(STANDING)
    async with serving(rig, tools, DRAIN_SECONDS="1200") as (process, url, client):
        path = f"{url}/api/v1/ingestion/job/{job}"
        asks = {**headers(), "Prefer": "wait=60"}
        async with client.get(f"{path}/events", headers=headers(), timeout=None) as stream:
            await stream.content.readuntil(b"\r\n\r\n")
            polling = asyncio.create_task(status_of(client.get(path, headers=asks, timeout=None)))
            feed = f"{url}/api/v1/papers/changes"
            reading = {"headers": headers(), "timeout": None}
            following = asyncio.create_task(status_of(client.get(f"{feed}?wait=60", **reading)))
            assert await status_of(client.get(path, headers=headers())) == 200
            assert await status_of(client.get(feed, headers=headers())) == 200

            process.send_signal(signal.SIGTERM)

            assert await polling == await following == 200
            await stream.read()
            assert await ended(process) == 0


async def test_case_91_probed_it_listens_until_the_balancer_has_noticed(rig, tools):
    changes = {"DRAIN_DELAY_SECONDS": "3", "DRAIN_SECONDS": "20"}
    async with serving(rig, tools, **changes) as (process, url, client):
        probed_for = asyncio.get_running_loop().time() + 1.1
        while asyncio.get_running_loop().time() < probed_for:
            assert await answered(client, f"{url}/readyz") == 200
            await asyncio.sleep(0.1)  # a balancer's interval
        process.send_signal(signal.SIGTERM)
        await said(rig, "draining")

        async with client.get(f"{url}/readyz") as not_ready:
            assert not_ready.status == 503
            assert (await not_ready.json(content_type=None))["detail"] == "Not ready: stopping"
        async with client.get(f"{url}/api/v1/ingestion/jobs", headers=headers()) as still:
            assert still.status == 200
            assert still.headers["Connection"] == "close"

        assert await ended(process) == 0
        assert await answered(client, f"{url}/healthz") is None


@pytest.mark.slow_faults
@pytest.mark.timeout(240)
async def test_case_91_a_rolling_restart_loses_no_request(rig, tools):
    changes = {"DRAIN_DELAY_SECONDS": "3", "DRAIN_SECONDS": "20", "LOG_LEVEL": "WARNING"}
    ports = [tools.free_port() for _ in range(3)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        unlimited = aiohttp.TCPConnector(limit=0)
        sender = await stack.enter_async_context(aiohttp.ClientSession(connector=unlimited))
        job_id = await rig.submit(process_pdfs=False)
        replicas = [
            await stack.enter_async_context(rig.process("serve", PORT=str(port), **changes))
            for port in ports
        ]
        for url in urls:
            await until_ready(client, url)
        balancer = Balancer(sender, urls, path=f"/api/v1/ingestion/job/{job_id}")
        load = asyncio.create_task(balancer.run())

        for number, port in enumerate(ports):
            replicas[number].send_signal(signal.SIGTERM)
            assert await ended(replicas[number]) == 0
            again = rig.process("serve", PORT=str(port), **changes)
            replicas[number] = await stack.enter_async_context(again)
            await until_ready(client, urls[number])
            await balancer.until_used(urls[number])
        balancer.stopping.set()
        await load

    print(dict(balancer.outcomes), dict(balancer.answered_by))
    assert set(balancer.outcomes) == {200}


class Balancer:
    """Sends requests at a steady rate to replicas whose last probe said ready; repeats none."""

    def __init__(self, client, urls, *, path):
        self.outcomes = Counter()
        self.answered_by = Counter()
        self.stopping = asyncio.Event()
        self._client = client
        self._path = path
        self._headers = headers()
        self._ready = dict.fromkeys(urls, True)

    async def run(self):
        async with asyncio.TaskGroup() as group:
            for url in self._ready:
                group.create_task(self._probe(url))
            clock = asyncio.get_running_loop().time
            began = clock()
            for number in itertools.count():
                await asyncio.sleep(max(0, began + number / READS_PER_SECOND - clock()))
                if self.stopping.is_set():
                    return
                # Where none said ready last, as on a machine too busy for its probes: anyone.
                ready = [url for url, is_ready in self._ready.items() if is_ready]
                candidates = ready or list(self._ready)
                group.create_task(self._send(candidates[number % len(candidates)]))

    async def until_used(self, url, seconds=60):
        """Return when `url` has answered once more."""
        before = self.answered_by[url]
        async with asyncio.timeout(seconds):
            while self.answered_by[url] <= before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _probe(self, url):
        while not self.stopping.is_set():
            self._ready[url] = await answered(self._client, f"{url}/readyz") == 200
            await asyncio.sleep(0.2)

    async def _send(self, url):
        try:
            outcome = await status_of(self._client.get(url + self._path, headers=self._headers))
        except (aiohttp.ClientError, TimeoutError) as err:
            outcome = type(err).__name__
        self.outcomes[outcome] += 1
        self.answered_by[url] += 1
