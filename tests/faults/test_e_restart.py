"""Group E of the fault list, continued: the exact moments, and what comes back after a restart."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import libfaketime
import psutil
import pytest

from service.devtools.stand_in.log import pace_of
from service.domain import outcomes
from service.domain.jobs import Criteria, JobStatus
from service.jobs.fulltext import FetchPdf
from tests.faults.processes import file_without_row, headers, serving, until
from tests.hostile import nested_states
from tests.jobs.conftest import LEASE_SECONDS, kill

TAKEOVER_SECONDS = 45
PRELOAD = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
SLOW_COMMIT = (
    "CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON jobs"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow_commit()",
)
QUICK_COMMIT = ("DROP TRIGGER slow_commit ON jobs", "DROP FUNCTION slow_commit")


@asynccontextmanager
async def slow_commits(rig):
    """Each job takes half a second to commit."""
    async with rig.database.transaction() as conn:
        for statement in SLOW_COMMIT:
            await conn.exec_driver_sql(statement)
    try:
        yield
    finally:
        async with rig.database.transaction() as conn:
            for statement in QUICK_COMMIT:
                await conn.exec_driver_sql(statement)


async def post(client, url):
    body = {"search_query": {"category": "cs.AI"}, "max_papers": 3, "process_pdfs": False}
    keyed = {**headers(), "Idempotency-Key": "once"}
    path = f"{url}/api/v1/ingestion/arxiv"
    async with client.post(path, json=body, headers=keyed) as answer:
        return answer.status, await answer.json()


async def test_cases_69a_71_killed_between_the_commit_and_its_answer(rig, tools, link):
    """The row is there, its answer never left: the key finds the job again."""
    async with (
        slow_commits(rig),
        serving(rig, tools, DATABASE_URL=link.url) as (process, url, client),
    ):
        posting = asyncio.create_task(post(client, url))
        await until(rig, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        link.freeze()
        await until(rig, "SELECT 1 FROM jobs")
        await kill(process)
        with pytest.raises(aiohttp.ClientError):
            await posting
        link.thaw()
    ((job_id,),) = await rig.rows("SELECT id FROM jobs")

    async with serving(rig, tools) as (_, url, client):
        status, document = await post(client, url)
        job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert (status, document["job_id"]) == (202, str(job_id))
    assert len(await rig.rows("SELECT 1 FROM jobs")) == 1
    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 3)


async def test_case_69f_killed_after_the_rename_and_before_the_row(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)
    async with rig.process() as process, file_without_row(rig):
        in_place = rig.files()
        await kill(process)
    unclaimed = await rig.rows("SELECT 1 FROM papers WHERE pdf_path IS NULL")

    async with rig.process():
        job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert (len(in_place), len(unclaimed)) == (1, 1)
    assert (job.pdfs_downloaded, job.pdfs_processed, job.resumed) == (1, 1, 1)
    await rig.assert_sound()


async def test_case_69h_killed_before_the_last_status_is_written(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)
    async with rig.process() as process:
        await rig.replica.wait_until_held(timeout=90)
        async with rig.database.transaction() as conn:
            rig.replica.release()
            await until(rig, "SELECT 1 FROM job_papers WHERE state = 'downloaded'")
            await conn.exec_driver_sql("LOCK TABLE jobs IN SHARE MODE")
            (state,) = (await conn.exec_driver_sql("SELECT status FROM jobs")).scalars()
            if state == JobStatus.RUNNING:
                await until(rig, "SELECT 1 FROM pg_locks WHERE NOT granted")
            await kill(process)

    async with rig.process():
        job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 1)
    await rig.assert_sound()


async def test_case_70_all_are_killed_and_one_is_started(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "seconds": 60, "times": 99}])
    jobs = [await rig.submit() for _ in range(3)]
    async with AsyncExitStack() as stack:
        fleet = [await stack.enter_async_context(rig.process()) for _ in range(3)]
        await rig.replica.wait_until_held(3, timeout=90)
        for process in fleet:
            await kill(process)
    rig.replica._plan.clear()
    rig.replica.release()

    async with rig.process():
        done = [await rig.final(job_id, seconds=TAKEOVER_SECONDS) for job_id in jobs]

    assert {job.status for job in done} == {JobStatus.COMPLETED}
    await rig.assert_sound()


def clock(offset):
    """The variables of a process whose clock is wrong by `offset`."""
    return {"LD_PRELOAD": str(PRELOAD), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def test_case_72_only_the_clock_of_the_database_counts(rig):
    """Two replicas two hours apart: no double run, no early and no late takeover."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)

    async with rig.process(**clock("-1h")) as slow:
        await rig.replica.wait_until_held(timeout=90)
        async with rig.process(**clock("+1h")):
            await rig.rows(f"SELECT pg_sleep({2 * LEASE_SECONDS})")
            while_it_lived = await rig.rows("SELECT attempts FROM job_papers")
            await kill(slow)
            rig.replica.release()
            job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    assert [row.attempts for row in while_it_lived] == [1]
    assert (job.status, job.resumed) == (JobStatus.COMPLETED, 1)
    assert await rig.rows(
        "SELECT 1 FROM jobs WHERE completed_at < clock_timestamp()"
        " AND started_at > clock_timestamp() - interval '10 minutes'"
    )
    await rig.assert_sound()


def part_files(root):
    return [path for path in root.rglob("*.part*") if path.is_file()]


async def test_case_73_what_the_crash_left_is_gone_and_nothing_else(rig):
    root = rig.folder / "files"
    step = {"kind": "hold", "lane": "pdf", "number": 1, "after_bytes": 800, "seconds": 60}
    rig.replica.script([step])
    await rig.submit(max_papers=1)
    async with rig.process() as process:
        await rig.replica.wait_until_held(timeout=90)
        async with asyncio.timeout(60):  # what was sent is written a moment later
            while not (parts := part_files(root)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        await kill(process)
    rig.replica.release()
    foreign = root / "notes.txt"
    foreign.write_text("of an operator")
    await rig.rows("SELECT cancel_job(id) FROM jobs")

    async with rig.worker(LEASE_SECONDS="1"), asyncio.timeout(60):
        while any(path.exists() for path in parts) or await rig.rows("SELECT 1 FROM pgqueuer"):
            await rig.rows("SELECT pg_sleep(0.05)")

    assert foreign.read_text() == "of an operator"


def processor_seconds(process):
    """What a process has used of the processor: the same on a busy machine."""
    spent = psutil.Process(process.pid).cpu_times()
    return spent.user + spent.system


@pytest.mark.slow_faults
async def test_case_77_ten_thousand_queued_jobs_do_not_delay_a_start(rig, tools):
    async with serving(rig, tools) as (process, _, _):
        empty = processor_seconds(process)
    one = await rig.submit(process_pdfs=False, max_papers=5)
    await rig.rows(
        "WITH more AS (INSERT INTO jobs (request, priority) SELECT request, priority FROM jobs,"
        " generate_series(2, 10000) RETURNING id) INSERT INTO pgqueuer (priority, status,"
        " entrypoint, dedupe_key, payload, headers) SELECT priority, status, entrypoint,"
        " format('harvest\\:%s\\:0.0', more.id), payload, jsonb_build_object('job', more.id)"
        " FROM pgqueuer, more RETURNING 1"
    )

    async with serving(rig, tools, ARXIV_MIN_INTERVAL_SECONDS="0.5") as (process, _, _):
        full = processor_seconds(process)
        await rig.final(one, seconds=60)
        await until(rig, "SELECT 1 FROM jobs WHERE status = 'completed' OFFSET 2")

    assert full < 2 * empty + 1
    proved = pace_of(rig.replica.log.since(lane="api"))
    assert proved.requests >= 3
    assert proved.smallest_gap >= 0.5
    assert proved.most_open == 1


async def test_case_78_a_bug_in_a_handler_fails_its_paper_and_no_other(rig, monkeypatch):
    wanted = [rig.replica.corpus.id_of(number) for number in range(3)]
    run, tries = FetchPdf.run, []

    async def with_a_bug(self, attempt):
        if self.paper == str(wanted[1]):
            tries.append(time.monotonic())
            raise ZeroDivisionError
        await run(self, attempt)

    monkeypatch.setattr(FetchPdf, "run", with_a_bug)
    monkeypatch.setattr(outcomes, "BACKOFF_FIRST", timedelta(milliseconds=200))
    async with rig.worker(LEASE_SECONDS="60"):  # that of a stalled process would be another try
        job = await rig.final(await rig.submit(criteria=Criteria(ids=tuple(wanted)), max_papers=3))

    waits = [after - before for before, after in pairwise(tries)]
    assert job.status is JobStatus.COMPLETED
    assert [(error.code, error.arxiv_id) for error in job.errors] == [("internal", str(wanted[1]))]
    assert len(tries) == 5
    assert all(wait >= 0.2 * 2**number for number, wait in enumerate(waits))  # or a look later
    assert job.pdfs_failed == 1
    await rig.assert_sound()


@pytest.mark.slow_faults
async def test_case_61_a_pdf_that_really_kills_its_worker_is_tried_three_times(rig):
    """On a new replica each time; another paper of the job is none the worse."""
    bomb, other = (str(rig.replica.corpus.id_of(number)) for number in (0, 1))
    rig.replica.script(
        [
            {
                "kind": "body",
                "lane": "pdf",
                "match": bomb,
                "times": 99,
                "content_type": "application/pdf",
                "body": nested_states(),
            }
        ]
    )
    ids = tuple(rig.replica.corpus.id_of(number) for number in (0, 1))
    job_id = await rig.submit(criteria=Criteria(ids=ids), max_papers=2)

    for count in range(1, 4):
        async with rig.process(LEASE_SECONDS="1") as process:
            await until(
                rig,
                "SELECT 1 FROM job_papers WHERE state = 'downloaded'"
                f" AND unfinished_reads = {count} AND arxiv_id = '{bomb}'",
                seconds=TAKEOVER_SECONDS,
            )
            children = psutil.Process(process.pid).children(recursive=True)
            await kill(process)
            psutil.wait_procs(children, timeout=10)
    async with rig.process():
        job = await rig.final(job_id, seconds=TAKEOVER_SECONDS)

    states = dict(await rig.rows("SELECT arxiv_id, state FROM job_papers"))
    assert [(error.code, error.arxiv_id) for error in job.errors] == [("quarantined", bomb)]
    assert states == {bomb: "failed", other: "processed"}
    assert len([r for r in rig.replica.log.since(lane="pdf") if bomb in r.path]) == 1
