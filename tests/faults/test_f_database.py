"""Links that are cut, pools that are full, locks, and the queue's long past: cases 82 to 87."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import asyncpg
import pytest

from service.api.middlewares.rate_limit import Bounds
from service.db.addresses import libpq_url
from service.worker.engine import enqueue
from service.worker.queries import builders
from service.worker.task import Task
from tests.db.test_plans import scans
from tests.faults.processes import undisturbed
from tests.faults.servers import AWAY, BODY

slow_faults = pytest.mark.slow_faults
OPEN_TRANSACTIONS = """
    SELECT pid, xact_start, extract(epoch FROM clock_timestamp() - xact_start)::float AS age
    FROM pg_stat_activity WHERE application_name LIKE 'arxiv-ingestion%' AND xact_start IS NOT NULL
"""


@pytest.mark.parametrize("cut", ["before the commit", "after the commit"])
async def test_case_84_a_link_cut_at_the_commit_and_the_same_key_is_one_job(
    serve, link, sql, cut, open_database
):
    api = await serve(database=open_database(link.url, deadline_seconds=1))
    key = {"Idempotency-Key": "once"}
    assert (await api.get("/api/v1/ingestion/jobs")).status == 200
    written = [(1 if cut == "after the commit" else 0,)]
    link.cut_at_commit(arrives=cut == "after the commit")

    lost = await api.post("/api/v1/ingestion/arxiv", json=BODY, headers=key)
    async with asyncio.timeout(60):  # the server hears of the COMMIT, or of the end, by itself
        while await sql("SELECT count(*) FROM jobs") != written:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    link.mend()
    again = await api.post("/api/v1/ingestion/arxiv", json=BODY, headers=key)

    assert lost.status == 503
    assert again.status == 202
    assert await sql("SELECT count(*) FROM jobs") == [(1,)]
    assert await sql("SELECT count(*) FROM pgqueuer") == [(1,)]


async def test_case_82_two_hundred_reads_over_two_connections_are_never_a_500(
    serve, database_url, sql, open_database
):
    api = await serve(database=open_database(database_url, deadline_seconds=2.5, pool_size=2))
    await sql("INSERT INTO jobs DEFAULT VALUES")

    answers = await asyncio.gather(*(api.get(AWAY["GET"]) for _ in range(200)))

    assert {response.status for response in answers} <= {200, 503}
    assert all("Retry-After" in response.headers for response in answers if response.status == 503)


@pytest.mark.parametrize(
    ("after", "arrives"),
    [
        pytest.param(b"INSERT INTO papers", True, id="a page, after", marks=slow_faults),
        pytest.param(b"INSERT INTO papers", False, id="a page, before", marks=slow_faults),
        pytest.param(b"pdfs_downloaded=", True, id="a PDF, after"),
        pytest.param(b"pdfs_downloaded=", False, id="a PDF, before", marks=slow_faults),
    ],
)
async def test_case_84_a_commit_whose_outcome_a_worker_does_not_know_counts_once(
    rig, link, after, arrives
):
    gold = await undisturbed(rig)
    link.cut_at_commit(arrives=arrives, after=after)
    job_id = await rig.submit()

    async with rig.process(DATABASE_URL=link.url):
        async with asyncio.timeout(60):
            await link.was_cut.wait()
        link.mend()
        job = await rig.final(job_id)

    assert await rig.result(job_id) == gold
    assert job.errors_total == 0
    await rig.assert_sound()


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=slow_faults)])
async def test_case_83_no_transaction_is_open_while_a_pdf_is_waited_for(rig, seconds):
    """At looks half a second apart: no transaction of ours is seen at more than one of them."""
    rig.replica.script([{"kind": "drip", "lane": "pdf", "number": 1, "seconds": seconds + 30}])
    job_id = await rig.submit()
    open_ones, oldest = [], 0.0
    async with rig.process():
        await rig.until(job_id, lambda job: job.pdfs_processed >= 5)
        for _ in range(2 * seconds):
            rows = await rig.rows(OPEN_TRANSACTIONS)
            open_ones.append({(row.pid, row.xact_start) for row in rows})
            oldest = max([oldest, *(row.age for row in rows)])
            await rig.rows("SELECT pg_sleep(0.5)")
        job = await rig.job(job_id)

    print(f"oldest transaction in {seconds} s of a download: {oldest:.3f} s")
    assert job.pdfs_pending == 1  # it was waited for all the time
    for before, now in pairwise(open_ones):
        assert not before & now
    ((timeout,),) = await rig.rows("SHOW idle_in_transaction_session_timeout")
    assert timeout == "5s"


async def test_case_86_no_connection_keeps_a_lock_after_a_request(serve, sql):
    """A quota is counted under an advisory lock: the transaction's, not the session's."""
    api = await serve(bounds=Bounds(jobs_per_caller=1))
    posted = [await api.post(AWAY["POST"], json=BODY) for _ in range(2)]
    assert [answer.status for answer in posted] == [202, 429]
    await api.get(AWAY["GET"])
    await api.delete(posted[0].headers["Location"])

    held = await sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")

    assert held == [(0,)]


CLAIMERS = 20
QUEUED = 1000
PAST = 100_000
PICKED = """
    UPDATE pgqueuer SET status = 'picked', heartbeat = now(),
    queue_manager_id = md5((id % 20)::text)::uuid WHERE id % 10 = 0
"""  # by twenty workers


async def test_case_87_twenty_claimers_share_a_queue_with_a_long_past(database, sql, database_url):
    """What is claimed is locked, so nobody claims it twice. `make bench BENCH=claims` times it."""
    await queue_with_a_past(database, sql)
    pool = await asyncpg.create_pool(libpq_url(database_url), min_size=5, max_size=CLAIMERS)
    async with pool:
        claims = await asyncio.gather(*(claimed(pool) for _ in range(CLAIMERS)))

    ids = [number for mine in claims for number in mine]
    assert len(ids) == len(set(ids)) == QUEUED


@pytest.mark.parametrize("fleet_limit", [0, 64])
async def test_case_87_a_claim_reads_the_queue_by_its_indexes(database, sql, fleet_limit):
    await queue_with_a_past(database, sql, past=5000)
    await sql(PICKED)
    await sql("ANALYZE pgqueuer")

    async with database.transaction() as conn:
        query = claim(fleet_limit)
        answer = await conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query.sql}", tuple(query.args))
        (plan,) = answer.scalar_one()

    found = list(scans(plan["Plan"]))
    assert "pgqueuer" in {table for _, table in found}
    assert [kind for kind, table in found if table == "pgqueuer" and kind == "Seq Scan"] == []


async def queue_with_a_past(database, sql, past=PAST):
    """A thousand tasks; those that were there before have left their traces."""
    await sql(
        "INSERT INTO pgqueuer (priority, status, entrypoint)"
        f" SELECT n % 100, 'queued', 'pdf' FROM generate_series(1, {past}) n"
    )
    await sql("DELETE FROM pgqueuer")
    await sql(
        "INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)"
        f" SELECT n, 'successful', 'pdf', 0 FROM generate_series(1, {past}) n"
    )
    job_id = uuid4()
    new = [Task(kind="pdf", job_id=job_id, key=str(n), payload={}) for n in range(QUEUED)]
    async with database.transaction() as conn:
        await enqueue(conn, new)


def claim(fleet_limit=0):
    """The statement with which a worker claims."""
    return builders()["qbq"].build_dequeue_query(
        batch_size=10,
        entrypoints=["pdf"],
        concurrency_limits=[fleet_limit],
        queue_manager_id=uuid4(),
        global_concurrency_limit=20,
        heartbeat_timeout=timedelta(seconds=60),
    )


async def claimed(pool):
    """Numbers of the tasks that one claimer got."""
    numbers = []
    while True:
        query = claim()
        rows = await pool.fetch(query.sql, *query.args)
        if not rows:
            return numbers
        numbers += [row["id"] for row in rows]
