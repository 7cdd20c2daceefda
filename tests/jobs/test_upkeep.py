"""What the dead leave is removed; what the living work on stays."""

import asyncio
import json
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from service.config.settings import Settings
from service.db import retention
from service.db.engine import Database
from service.domain.errors import StorageUnavailable
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobStatus
from service.files.local import LocalStore
from service.jobs.maintenance import maintenance
from service.jobs.maintenance.maintenance import QUEUE_LOG_KEPT, queue_orphaned, run_maintenance
from service.process.resources import pdf_store
from service.worker import engine
from service.worker.engine import purge_log


async def test_old_rows_of_the_queue_log_go_and_younger_ones_stay(rig):
    await rig.rows(
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)"
        " SELECT n, 'successful', 0, 'pdf', now() - n * interval '1 day'"
        " FROM generate_series(1, 14) n RETURNING 1"
    )

    async with rig.database.transaction() as conn:
        purged = await purge_log(conn, older_than=QUEUE_LOG_KEPT)

    (left,) = await rig.rows("SELECT count(*), max(job_id) FROM pgqueuer_log")
    assert purged == 8
    assert tuple(left) == (6, 6)


async def test_a_worker_removes_abandoned_partial_files_by_itself(rig):
    """Case 73 of the faults: gone within two leases; nothing else is touched."""
    store = pdf_store(Settings.from_environ(rig.environment()))
    await store.prepare()
    async with store.partial(ArxivId("2301.00001", 1)) as part:
        await part.record_etag('"left"')
        await part.write(b"%PDF-1.7 the beginning of a file")
    foreign = rig.folder / "files" / "notes.txt"
    foreign.write_text("not ours")
    left = list((rig.folder / "files" / ".partial").iterdir())

    async with rig.worker(LEASE_SECONDS="1"):
        await _until_gone(rig.database, left)

    assert len(left) == 1
    assert foreign.read_text() == "not ours"


async def test_a_bucket_that_may_not_be_listed_holds_up_no_other_tidying(rig):
    settings = Settings.from_environ(rig.environment())
    looked_again = asyncio.Event()

    class Unlisted(LocalStore):
        looks = 0

        async def list_files(self, *, after, limit):
            self.looks += 1
            if self.looks > 1:
                looked_again.set()
            raise StorageUnavailable("The PDF storage cannot be used: access is denied")

    await pdf_store(settings).prepare()
    store = Unlisted(rig.folder / "files", max_bytes=1000)
    await rig.rows(
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)"
        " VALUES (1, 'successful', 0, 'pdf', now() - interval '8 days') RETURNING 1"
    )

    with capture_logs() as logs:
        lease = timedelta(milliseconds=10)
        tidying = asyncio.create_task(
            run_maintenance(
                rig.database, store, lease=lease, jobs_kept=timedelta(days=1), changes_kept=None
            )
        )
        await asyncio.wait_for(looked_again.wait(), 60)
        tidying.cancel()
        await asyncio.wait([tidying])

    assert {"files not compared", "maintenance finished"} <= {entry["event"] for entry in logs}
    assert await rig.rows("SELECT 1 FROM pgqueuer_log") == []


async def _until_gone(database: Database, paths):
    """Return once none of `paths` exists; TimeoutError after some leases."""
    async with database.transaction() as conn:
        for _ in range(int(timedelta(seconds=60) / timedelta(milliseconds=100))):
            if not any(path.exists() for path in paths):
                return
            await conn.exec_driver_sql("SELECT pg_sleep(0.1)")
    raise TimeoutError


async def test_tasks_that_got_lost_are_queued_again(rig):
    """A worker thought dead may delete the row of a task that another runs; if that dies too …"""
    rig.replica.script([{"kind": "hold", "lane": "api", "number": 2, "seconds": 60}])
    job_id = await rig.submit()
    async with rig.process() as process:
        await rig.replica.wait_until_held(timeout=90)
        process.kill()
        await process.wait()
    rig.replica.release()
    lost = await rig.rows("DELETE FROM pgqueuer RETURNING entrypoint")
    stranded = await rig.rows("SELECT arxiv_id FROM stranded_work")

    async with rig.worker(LEASE_SECONDS="1"):
        job = await rig.final(job_id)

    assert lost
    assert None in [row.arxiv_id for row in stranded]
    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 10
    await rig.assert_sound()


@pytest.mark.parametrize(
    ("request_", "state", "html_state", "kinds"),
    [
        ({}, "pending", "pending", ["html", "pdf"]),
        ({}, "processed", "pending", ["html"]),
        ({"process_pdfs": False}, "pending", "pending", ["html"]),
        ({"process_pdfs": False}, "downloaded", None, ["pdf"]),
        ({}, "processed", "stored", []),
    ],
)
async def test_the_tasks_that_a_paper_still_needs_are_queued_again(
    rig, request_, state, html_state, kinds
):
    wanted = {"search_query": {"category": "cs.AI"}, "source": "search", **request_}
    await rig.rows(
        "WITH job AS (INSERT INTO jobs (status, started_at, taken_up_at, is_harvested, request,"
        " pdfs_pending, html_pending) VALUES ('running', now(), now(), true,"
        " CAST(:request AS jsonb), 1, 1) RETURNING id), paper AS (INSERT INTO job_papers (job_id,"
        " arxiv_id, version, state, html_state) SELECT id, '2301.00001', 1, :state, :html FROM job)"
        " SELECT 1",
        request=json.dumps(wanted),
        state=state,
        html=html_state,
    )

    assert await queue_orphaned(rig.database) == len(kinds)
    rows = await rig.rows("SELECT entrypoint FROM pgqueuer ORDER BY 1")
    assert [row.entrypoint for row in rows] == kinds


async def test_a_row_written_by_hand_is_nobodys_work(rig):
    await rig.rows("INSERT INTO jobs (status, started_at) VALUES ('running', now()) RETURNING 1")

    assert await queue_orphaned(rig.database) == 0
    assert await rig.rows("SELECT 1 FROM pgqueuer") == []


async def test_a_job_whose_checkpoint_nobody_can_read_fails_and_no_worker_does(rig):
    unreadable = """
        INSERT INTO jobs (status, started_at, taken_up_at, request, checkpoint)
        VALUES ('running', now(), now(), '{"search_query": {"category": "cs.AI"}}', '{"page": 1}')
        RETURNING id
    """
    ((stranded,),) = await rig.rows(unreadable)

    async with rig.worker(LEASE_SECONDS="1"):
        job = await rig.final(stranded)

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["unreadable_request"]


async def test_partial_files_are_swept_when_two_leases_old_and_not_sooner(rig):
    """Between one lease and two another worker takes over, and goes on with them."""
    lease, asked = timedelta(seconds=1000), asyncio.get_running_loop().create_future()

    class Swept(LocalStore):
        async def sweep(self, older_than):
            asked.set_result(older_than)
            return 0

    store = Swept(rig.folder / "files", max_bytes=1000)
    tidying = asyncio.create_task(
        run_maintenance(rig.database, store, lease=lease, jobs_kept=None, changes_kept=None)
    )
    async with asyncio.timeout(60):
        older_than = await asked
    tidying.cancel()
    await asyncio.wait([tidying])

    assert older_than == 2 * lease


async def test_a_round_queues_so_many_lost_tasks_and_no_more(rig, monkeypatch):
    monkeypatch.setattr(maintenance, "STRANDED_AT_ONCE", 2)
    await rig.rows(
        "INSERT INTO jobs (status, started_at, taken_up_at, request)"
        " SELECT 'running', now(), now() - interval '1 hour', CAST(:request AS jsonb)"
        " FROM generate_series(1, 3) RETURNING 1",
        request='{"search_query": {"category": "cs.AI"}, "max_papers": 1}',
    )

    assert [await queue_orphaned(rig.database) for _ in range(3)] == [2, 1, 0]


async def test_a_round_purges_so_many_rows_of_the_queue_log_and_no_more(rig, monkeypatch):
    monkeypatch.setattr(engine, "PURGED_AT_ONCE", 2)
    await rig.rows(
        "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)"
        " SELECT n, 'successful', 0, 'pdf', now() - interval '1 year'"
        " FROM generate_series(1, 3) n RETURNING 1"
    )

    async def purged() -> int:
        async with rig.database.transaction() as conn:
            return await purge_log(conn, older_than=QUEUE_LOG_KEPT)

    assert [await purged() for _ in range(3)] == [2, 1, 0]


async def test_a_round_removes_so_many_steps_of_old_jobs_and_no_more(rig, monkeypatch):
    monkeypatch.setattr(maintenance, "REMOVALS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 1)
    await rig.rows(
        "INSERT INTO jobs (status, started_at, completed_at) SELECT 'completed', now(),"
        " now() - interval '1 year' FROM generate_series(1, 3) RETURNING 1"
    )

    removed = [
        await maintenance._remove_old_jobs(rig.database, timedelta(days=1)) for _ in range(2)
    ]

    assert removed == [2, 1]
