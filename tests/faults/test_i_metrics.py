"""Group I: metrics of processes: sums that never go back, a worker's own, arXiv's outages."""

import asyncio
import signal
from contextlib import suppress
from itertools import pairwise

import aiohttp
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from service.db.rate_limits import RateLimitStore
from service.domain.channels import Channel
from service.process.build_worker import Timing
from tests.faults.processes import headers, said, serving, until_ready
from tests.jobs.conftest import QUICK

REQUESTS = ("arxiv_ingestion_http_request_duration_seconds_count", "/api/v1/ingestion/jobs")
FOREVER = 10**6


async def figures(url):
    """(name, labels) → value, of whichever process takes the connection."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.get(f"{url}/metrics") as answer,
    ):
        assert answer.status == 200
        families = list(parse(await answer.text()))
    samples = [sample for family in families for sample in family.samples]
    for sample in samples:
        assert not {"pid", "process"} & sample.labels.keys()
    return {(one.name, *sorted(one.labels.values())): one.value for one in samples}


def requests_in(found):
    return sum(
        value for key, value in found.items() if key[0] == REQUESTS[0] and REQUESTS[1] in key
    )


async def ask_for_jobs(url, times):
    for _ in range(times):  # each over a connection of its own, which either process may take
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as client,
            client.get(f"{url}/api/v1/ingestion/jobs", headers=headers()) as answer,
        ):
            assert answer.status == 200


def sibling_of(process):
    (found,) = [
        one for one in psutil.Process(process.pid).children() if "--sibling" in one.cmdline()
    ]
    return found


def counters(found):
    return {key: value for key, value in found.items() if key[0].endswith(("_total", "_count"))}


def gone_back(before, after):
    return {key for key, value in counters(before).items() if after.get(key, 0.0) < value}


async def test_any_of_several_processes_answers_with_the_sum_and_a_kill_takes_nothing_back(
    rig, tools
):
    async with serving(rig, tools, API_PROCESSES="2") as (process, url, client):
        sibling = sibling_of(process)
        await until_ready(client, url)
        await said_twice(rig)
        await ask_for_jobs(url, 30)
        before = [await figures(url) for _ in range(10)]
        sibling.send_signal(signal.SIGKILL)
        await said(rig, "API process ended")
        after_kill = await figures(url)
        await until(lambda: sibling_of_or_none(process))
        await said_times(rig, "listening", 3)
        await ask_for_jobs(url, 30)
        last = [await figures(url) for _ in range(10)]

    assert {requests_in(found) for found in before} == {30}
    assert {requests_in(found) for found in last} == {60}
    ordered = [*before, after_kill, *last]
    assert [gone_back(*two) for two in pairwise(ordered)] == [set()] * 20
    assert len(last[-1]) <= len(before[-1]) + 30  # series of a restart: none of its own
    both = before[-1]["arxiv_ingestion_database_connections", "most"]
    assert last[-1]["arxiv_ingestion_database_connections", "most"] == both
    starts = {found["process_start_time_seconds",] for found in ordered}
    assert len(starts) == 1


async def said_twice(rig):
    await said_times(rig, "listening", 2)


async def said_times(rig, event, times):
    log = rig.folder / "serve.log"
    await until(lambda: log.read_text().count(f'"event": "{event}"') >= times)


def sibling_of_or_none(process):
    with suppress(ValueError, psutil.Error):
        return sibling_of(process)
    return None


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_the_folder_of_several_processes_is_removed_at_the_end(rig, tools, tmp_path):
    async with serving(rig, tools, API_PROCESSES="2", TMPDIR=str(tmp_path)) as (process, _, _):
        assert list(tmp_path.glob("arxiv-ingestion-metrics-*"))
        process.terminate()
        async with asyncio.timeout(60):
            assert await process.wait() == 0

    assert list(tmp_path.glob("arxiv-ingestion-metrics-*")) == []


async def test_a_worker_shows_its_work_at_its_own_port(rig, tools):
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    async with rig.process("worker", WORKER_PORT=str(port)), aiohttp.ClientSession() as client:
        await rig.final(await rig.submit(max_papers=2))
        pdfs = "arxiv_ingestion_tasks_finished_total", "pdf", "succeeded"
        async with asyncio.timeout(60):  # the last task ends after its job
            while (found := await figures(url))[pdfs] < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        async with client.get(f"{url}/healthz") as alive, client.get(f"{url}/x") as nothing:
            statuses = alive.status, nothing.status

    assert statuses == (200, 404)
    assert found["arxiv_ingestion_jobs_finished_total", "completed"] == 1
    assert found["arxiv_ingestion_job_duration_seconds_count",] == 1
    assert found[pdfs] == 2
    assert found["arxiv_ingestion_pdf_duration_seconds_count",] == 2
    assert found["arxiv_ingestion_extraction_duration_seconds_count",] == 2
    assert found["arxiv_ingestion_page_duration_seconds_count",] >= 1
    assert found["arxiv_ingestion_arxiv_requests_total", "200", "pdf"] == 2
    assert found["arxiv_ingestion_arxiv_request_duration_seconds_count", "pdf"] == 2
    assert found["arxiv_ingestion_rate_limit_wait_seconds_count", "pdf"] == 2
    assert found["arxiv_ingestion_arxiv_requests_total", "200", "api"] >= 1


async def test_a_worker_port_that_is_taken_is_said(rig, tools):
    port = tools.free_port()
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    async with server, rig.process("worker", WORKER_PORT=str(port)) as process:
        async with asyncio.timeout(60):
            code = await process.wait()

    assert code == 2
    assert "WORKER_PORT" in (rig.folder / "worker.log").read_text()


@pytest.mark.parametrize("lane", ["api", "pdf"])
async def test_case_118_the_first_refused_connection_shows_everywhere(rig, serve, lane):
    patient = Timing(limits=QUICK.limits, repeats=QUICK.repeats)
    api = await serve()
    rig.replica.script([{"kind": "reset", "lane": lane, "times": FOREVER}])
    async with rig.worker(patient):
        job_id = await rig.submit(max_papers=1)
        await rig.until(job_id, lambda job: job.waiting_for is not None)
        asked = len(rig.replica.log.since(lane=lane))
        ready = await (await api.get("/readyz")).json()
        overview = await (await api.get("/api/v1/ingestion/overview")).json()
        status = await (await api.get(f"/api/v1/ingestion/job/{job_id}")).json()
        text = await (await api.get("/metrics")).text()
        state = await channel(rig, Channel(lane))

    assert asked == 1
    warnings = {one["code"]: one["since"] for one in ready["warnings"]}
    assert warnings.keys() == {"arxiv_unavailable"}
    shown = {one["channel"]: one for one in overview["channels"]}[lane]
    assert (shown["state"], shown["answers"]) == ("unavailable", False)
    assert shown["since"] == warnings["arxiv_unavailable"]
    assert status["stats"]["waiting_for"] == "arxiv_unavailable"
    assert state.since is not None
    (gauge,) = [
        sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "arxiv_ingestion_arxiv_unavailable_seconds"
        and sample.labels == {"channel": lane}
    ]
    assert gauge > 0


async def channel(rig, which):
    async with rig.database.transaction() as conn:
        return {one.channel: one for one in await RateLimitStore(conn).channels()}[which]
