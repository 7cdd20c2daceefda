"""Group C of the fault list, as far as it is about pace and outages: arXiv as the fleet sees it."""

import asyncio
import gc
import time
from contextlib import AsyncExitStack
from datetime import datetime
from email.utils import formatdate
from itertools import pairwise

import aiohttp
import psutil
import pytest

from service.devtools.stand_in.log import pace_of
from service.domain.jobs import Criteria, JobStatus
from tests.jobs.conftest import LEASE_SECONDS, kill

INTERVAL = 0.3
TAKEOVER_SECONDS = 45
FOREVER = 100_000  # requests


async def workers(stack, rig, count=2, **settings):
    """Replicas in this process; each has a pace and pools of its own."""
    for _ in range(count):
        await stack.enter_async_context(rig.worker(**settings))


@pytest.mark.parametrize(("status", "form"), [("429", "seconds"), ("503", "date")])
async def test_case_32_a_cooldown_binds_all_replicas(rig, status, form):
    moment = int(time.time()) + 6
    wish = "3" if form == "seconds" else formatdate(moment, usegmt=True)
    rig.replica.script([{"kind": status, "lane": "api", "number": 2, "retry_after": wish}])
    jobs = [await rig.submit(process_pdfs=False) for _ in range(4)]

    async with AsyncExitStack() as stack:
        await workers(stack, rig)
        done = [await rig.final(job_id) for job_id in jobs]

    asked = sorted(rig.replica.log.since(lane="api"), key=lambda record: record.number)
    assert {job.status for job in done} == {JobStatus.COMPLETED}
    if form == "seconds":
        assert asked[2].started - asked[1].ended >= 3
    else:
        assert datetime.fromisoformat(asked[2].started_at).timestamp() >= moment


@pytest.mark.parametrize("wish", ["banana", "-1", "1000000000"])
async def test_case_32_a_wish_without_sense_gives_an_own_backoff(rig, wish):
    rig.replica.script([{"kind": "429", "lane": "api", "number": 1, "retry_after": wish}])
    job_id = await rig.submit(process_pdfs=False)

    async with rig.worker():
        await rig.replica.log.wait_for(lambda log: log.since(lane="api"), timeout=30)
        left = []
        while not left:
            left = await rig.rows(
                "SELECT extract(epoch FROM silent_until - clock_timestamp())::float AS seconds"
                " FROM upstream_pace WHERE lane = 'api' AND silent_until IS NOT NULL"
            )
        await rig.rows("WITH a AS (UPDATE upstream_pace SET silent_until = NULL) SELECT 1")
        put_off = []
        while not put_off:
            put_off = await rig.rows(
                "UPDATE pgqueuer SET execute_after = now()"
                " WHERE status = 'queued' AND execute_after > now() RETURNING 1"
            )
        job = await rig.final(job_id)

    assert 3 < left[0].seconds <= 600
    assert job.status is JobStatus.COMPLETED


@pytest.mark.parametrize("kind", ["502", "503", "504", "reset"])
async def test_case_33_no_answer_any_number_of_times_costs_no_attempt(rig, kind):
    rig.replica.script([{"kind": kind, "lane": "api", "times": 12}])
    async with rig.worker():
        job = await rig.final(await rig.submit(process_pdfs=False, max_papers=3))

    asked = rig.replica.log.since(lane="api")
    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 3, 0)
    assert len(asked) == 13


THIS = "cat:cs.AI"  # the request, but not the plain one that tells whether arXiv answers at all


@pytest.mark.parametrize("times", [4, 5])
async def test_case_33_a_500_to_this_request_alone_counts_five_times(rig, times):
    rig.replica.script([{"kind": "500", "lane": "api", "match": THIS, "times": times}])
    async with rig.worker():
        job = await rig.final(await rig.submit(process_pdfs=False, max_papers=3))

    expected = [("upstream_faulty", 5, "arxiv_fetch")] if times == 5 else []
    assert [(e.code, e.attempt, e.stage) for e in job.errors] == expected
    assert job.status is (JobStatus.FAILED if times == 5 else JobStatus.COMPLETED)


async def test_case_33_a_500_to_everything_is_an_outage(rig):
    rig.replica.script([{"kind": "500", "lane": "api", "times": 20}])
    async with rig.worker():
        job = await rig.final(await rig.submit(process_pdfs=False, max_papers=3))

    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 3, 0)


@pytest.mark.parametrize("lane", ["api", "pdf"])
@pytest.mark.parametrize("form", ["unavailable", "blocked"])
async def test_case_33_after_a_day_a_job_waits_no_longer(rig, form, lane):
    kind = {"unavailable": "503", "blocked": "403"}[form]
    rig.replica.script([{"kind": kind, "lane": lane, "times": FOREVER}])
    async with rig.worker():
        job_id = await rig.submit(max_papers=1)
        await rig.until(job_id, lambda job: job.waiting_for is not None)
        await rig.rows(
            "UPDATE jobs SET waiting_since = waiting_since - interval '24 hours' RETURNING 1"
        )
        await rig.rows("UPDATE pgqueuer SET execute_after = now() RETURNING 1")
        job = await rig.final(job_id)

    code = {"unavailable": "upstream_unavailable", "blocked": "forbidden"}[form]
    stage = {"api": "arxiv_fetch", "pdf": "pdf_download"}[lane]
    assert [(e.code, e.stage) for e in job.errors] == [(code, stage)]
    assert (job.status, job.waiting_for) == (JobStatus.FAILED, None)


async def test_case_35_a_text_that_says_rate_exceeded_is_a_wish_for_silence(rig):
    rig.replica.script([{"kind": "rate_exceeded", "lane": "api", "number": 1, "retry_after": "1"}])
    async with rig.worker():
        job = await rig.final(await rig.submit(process_pdfs=False, max_papers=3))

    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 3, 0)


async def test_case_36_nothing_found_is_asked_once_more_at_the_usual_pace(rig):
    rig.replica.script([{"kind": "empty_zero", "lane": "api", "times": 9}])
    async with rig.worker(ARXIV_MIN_INTERVAL_SECONDS="1"):
        job = await rig.final(await rig.submit(process_pdfs=False))

    first, second = rig.replica.log.since(lane="api")
    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 0, 0)
    assert second.started - first.started >= 1


async def test_case_38_pages_and_offsets_stay_within_what_arxiv_allows(rig):
    request = {"criteria": Criteria(category="cs.AI", page_size=2000, start=9_000)}
    async with rig.worker():
        await rig.final(await rig.submit(**request, max_papers=1000, process_pdfs=False))

    asked = [record.path for record in rig.replica.log.since(lane="api")]
    assert asked
    for path in asked:
        start, size = (int(path.split(f"{n}=")[1].split("&")[0]) for n in ("start", "max_results"))
        assert size <= 2000
        assert start + size <= 10_000


@pytest.fixture
def steady_clock():
    """No full collection meanwhile: it would stop the stand-in, which notes when a request came."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_case_42_three_replicas_keep_one_pace_also_when_one_dies_with_the_turn(
    steady_clock, rig
):
    rig.replica.script([{"kind": "hold", "lane": "api", "number": 8, "seconds": 60}])
    jobs = [await rig.submit(process_pdfs=False, max_papers=5) for _ in range(10)]

    async with AsyncExitStack() as stack:
        fleet = [
            await stack.enter_async_context(rig.process(ARXIV_MIN_INTERVAL_SECONDS=str(INTERVAL)))
            for _ in range(3)
        ]
        await rig.replica.wait_until_held(timeout=90)
        (holder,) = [process for process in fleet if _is_asking(process, rig.replica.url)]
        await kill(holder)
        rig.replica.release()
        done = [await rig.final(job_id, seconds=TAKEOVER_SECONDS) for job_id in jobs]

    asked = sorted(rig.replica.log.since(lane="api"), key=lambda record: record.started)
    proved = pace_of(asked)
    assert {job.status for job in done} == {JobStatus.COMPLETED}
    assert proved.smallest_gap >= INTERVAL
    assert proved.most_open == 1
    assert asked[8].started - asked[7].ended < LEASE_SECONDS + 5  # and a look on a busy machine


def _is_asking(process, url):
    """Whether this process has a connection to the stand-in; nothing but the API is asked."""
    port = int(url.rsplit(":", 1)[1])
    connections = psutil.Process(process.pid).net_connections()
    return any(one.raddr and one.raddr.port == port for one in connections)


async def test_pdfs_of_the_whole_fleet_start_at_most_four_times_a_second(steady_clock, rig):
    async with AsyncExitStack() as stack:
        await workers(stack, rig, 2, ARXIV_PDF_PER_SECOND="4")
        await rig.final(await rig.submit(max_papers=10))

    starts = sorted(record.started for record in rig.replica.log.since(lane="pdf"))
    assert len(starts) >= 7
    assert all(after - before >= 1 for before, after in zip(starts, starts[4:], strict=False))


@pytest.mark.slow_faults
async def test_case_49_an_outage_uses_up_no_attempts(rig):
    """Both lanes are down; all jobs wait for it, few requests are made, and all complete."""
    jobs = [await rig.submit(max_papers=2) for _ in range(8)]
    rig.replica.script([{"kind": "503", "times": FOREVER}])

    async with rig.process(), rig.process():
        await rig.replica.log.wait_for(lambda log: longest_gap(log) >= 11, timeout=60)
        outage = rig.replica.log.since(lane="api")
        await clear_script(rig)
        rig.replica.script([{"kind": "503", "lane": "pdf", "times": 4}])
        done = [await rig.final(job_id, seconds=60) for job_id in jobs]

    assert {job.status for job in done} == {JobStatus.COMPLETED}
    assert {job.errors_total for job in done} == {0}
    assert len(outage) < 6  # three until it is known, and one that finds out
    assert await rig.rows("SELECT 1 FROM jobs WHERE harvest_attempts > 0") == []
    await rig.assert_sound()


MANY = 1000


@pytest.mark.slow_faults
@pytest.mark.timeout(1500)
async def test_case_49_an_outage_costs_a_thousand_jobs_nothing(rig):
    """Once it is known, one request after each pause finds out, however many jobs wait."""
    for _ in range(MANY):
        await rig.submit(max_papers=1, process_pdfs=False)
    rig.replica.script([{"kind": "503", "times": FOREVER}])

    async with rig.process(), rig.process():
        await rig.replica.log.wait_for(lambda log: longest_gap(log) >= 14, timeout=120)
        starts = [record.started for record in rig.replica.log.since(lane="api")]
        await clear_script(rig)
        async with asyncio.timeout(1200):
            while await rig.rows(
                "SELECT 1 FROM jobs WHERE status IN ('pending', 'running') LIMIT 1"
            ):
                await rig.rows("SELECT pg_sleep(0.5)")

    gaps = [after - before for before, after in pairwise(starts)]
    known = next(number for number, gap in enumerate(gaps) if gap >= 2.9)
    print(
        f"{len(starts)} requests in {starts[-1] - starts[0]:.0f} s of outage; {known} until known"
    )
    assert known <= 3  # so many without an answer make an outage
    assert all(gap >= 11 for gap in gaps[known:])
    assert tuple((await rig.rows(SPOILED))[0]) == (MANY, 0, 0)


UNFINISHED = "SELECT 1 FROM jobs WHERE status IN ('pending', 'running') LIMIT 1"
SPOILED = """
    SELECT count(*) FILTER (WHERE status = 'completed'), sum(errors_total), sum(harvest_attempts)
    FROM jobs
"""


def longest_gap(log):
    """Seconds between two starts of API requests in a row, at most."""
    starts = [record.started for record in log.since(lane="api")]
    return max((after - before for before, after in pairwise(starts)), default=0)


async def clear_script(rig):
    async with aiohttp.ClientSession() as client:
        await client.delete(f"{rig.replica.url}/_replica/script")
