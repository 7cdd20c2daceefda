"""Hot queries find their rows by an index, however many rows there are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from service.db.held_papers import HeldPaperStore
from service.db.job_events import JobEventStore
from service.db.job_papers import JobPaperStore, Move
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.db.retention import RetentionStore
from service.db.retries import RetryStore
from service.db.schedules import ScheduleStore
from service.db.statistics import StatsStore
from service.domain.jobs import ACTIVE_STATUSES, JobStatus
from service.domain.papers import PaperFilter, PaperState

FILL = [
    "INSERT INTO jobs (status, created_at) SELECT CASE WHEN n % 200 = 0 THEN 'running' ELSE"
    " 'completed' END, now() - n * interval '1 second' FROM generate_series(1, 20000) AS n",
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at) SELECT '2301.' || lpad(n::text, 5, '0'), 1,"
    " 't', 'a', '{x}', '{cs.AI}', 'cs.AI', now(), now() FROM generate_series(1, 20000) AS n",
    "INSERT INTO paper_versions (arxiv_id, version, submitted_at)"
    " SELECT arxiv_id, version, updated_at FROM papers",
    "INSERT INTO job_papers (job_id, arxiv_id, version, state) SELECT j.id, '2301.' ||"
    " lpad(n::text, 5, '0'), 1, 'pending' FROM (SELECT id FROM jobs LIMIT 20) AS j,"
    " generate_series(1, 1000) AS n",
    "INSERT INTO job_errors (job_id, stage, error) SELECT j.id, 'general', 'e'"
    " FROM (SELECT id FROM jobs LIMIT 200) AS j, generate_series(1, 100)",
    "INSERT INTO job_intervals (job_id, at) SELECT j.id, now() - n * interval '10 s'"
    " FROM (SELECT id FROM jobs LIMIT 200) AS j, generate_series(1, 100) AS n",
    "INSERT INTO schedules (name, cron, request, next_run_at) SELECT n, '* * * * *', '{}',"
    " now() + n * interval '1 second' FROM generate_series(1, 20000) AS n",
    "INSERT INTO pgqueuer (priority, status, entrypoint, headers) SELECT 1, 'queued', 'pdf',"
    " jsonb_build_object('job', j.id) FROM (SELECT id FROM jobs LIMIT 200) AS j,"
    " generate_series(1, 50)",
]


@pytest.fixture
async def full(database, sql):
    """A database with rows enough for the planner to care; its first job's id."""
    for statement in FILL:
        await sql(statement)
    await sql(
        "ANALYZE jobs, papers, paper_versions, job_papers, job_errors, pgqueuer, schedules,"
        " job_events, job_intervals"
    )
    ((job_id,),) = await sql("SELECT job_id FROM job_papers LIMIT 1")
    await sql("UPDATE jobs SET status = 'running', completed_at = NULL WHERE id = :j", j=job_id)
    return job_id


def scans(plan: dict) -> Iterator[tuple[str, str]]:
    """Kind and table of every node of a plan that reads a table."""
    if "Relation Name" in plan and "Scan" in plan["Node Type"]:
        yield plan["Node Type"], plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scans(child)


async def full_scans(database, work) -> list[tuple[str, str]]:
    """Tables that the statements of `work` read from end to end, explained as they were run."""
    statements = []

    def note(_conn: Connection, _cursor, statement, parameters, _context, _many) -> None:
        statements.append((statement, parameters))

    async with database.engine.begin() as conn:
        event.listen(conn.sync_connection, "before_cursor_execute", note)
        await work(conn)
        event.remove(conn.sync_connection, "before_cursor_execute", note)
        found = []
        for statement, parameters in statements:
            if statement.startswith("SET "):
                continue
            answer = await conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plan = answer.scalar_one()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            found += [scan for scan in scans(plan[0]["Plan"]) if scan[0] == "Seq Scan"]
        assert statements
    return found


def queries(job_id):
    ids = [f"2301.{n:05}" for n in range(1, 51)]
    key = (datetime(2023, 1, 1, tzinfo=UTC), ids[0])
    moves = [Move(job_id, arxiv_id, PaperState.DOWNLOADED) for arxiv_id in ids]
    return {
        "get": lambda c: JobStore(c).get(job_id),
        "list_jobs": lambda c: JobStore(c).list_jobs(list(JobStatus), limit=100),
        "list_jobs from": lambda c: JobStore(c).list_jobs(
            ACTIVE_STATUSES, limit=100, before=(datetime.now(UTC), job_id)
        ),
        "list_of_job": lambda c: JobPaperStore(c).list_of_job(job_id, list(PaperState), limit=100),
        "list_of_job from": lambda c: JobPaperStore(c).list_of_job(
            job_id, [PaperState.FAILED], limit=100, after=ids[0]
        ),
        "retry: find": lambda c: RetryStore(c).find(job_id),
        "retry: find_active": lambda c: RetryStore(c).find_active(job_id),
        "retry: list_unfinished": lambda c: RetryStore(c).list_unfinished(
            job_id, after=ids[0], limit=50
        ),
        "find_by_key": lambda c: JobStore(c).find_by_key(caller="a", key="k"),
        "claim_page": lambda c: JobStore(c).claim_page(job_id, {"offset": 0}),
        "lock_at": lambda c: JobStore(c).lock_at(job_id, None),
        "lock": lambda c: JobStore(c).lock([job_id]),
        "complete_finished": lambda c: JobStore(c).complete_finished([job_id]),
        "final_among": lambda c: JobStore(c).final_among([job_id]),
        "known": lambda c: JobPaperStore(c).known(job_id, ids),
        "begin": lambda c: JobPaperStore(c).begin(job_id, ids[0]),
        "move": lambda c: JobPaperStore(c).move(moves),
        "take_due": lambda c: ScheduleStore(c).take_due(),
        "take_missed": lambda c: ScheduleStore(c).take_missed(),
        "last_success": lambda c: ScheduleStore(c).last_success(UUID(int=7)),
        "find_many": lambda c: PaperStore(c).find_many(ids),
        "newest": lambda c: HeldPaperStore(c).list_newest(PaperFilter(), limit=50),
        "next page": lambda c: HeldPaperStore(c).list_newest(PaperFilter(), limit=50, after=key),
        "rare word": lambda c: HeldPaperStore(c).list_newest(PaperFilter(words="x"), limit=50),
        "rare author": lambda c: HeldPaperStore(c).list_newest(PaperFilter(author="y"), limit=50),
        "rare category": lambda c: HeldPaperStore(c).list_newest(
            PaperFilter(category="z"), limit=50
        ),
        "timeline": lambda c: JobEventStore(c).list_page(job_id, limit=50, after=1),
        "throughput": lambda c: JobEventStore(c).throughput(job_id),
        "lock_old": lambda c: RetentionStore(c).lock_old(older_than=timedelta(days=30)),
        "remove": lambda c: RetentionStore(c).remove([job_id]),
        "lock papers": lambda c: PaperStore(c).lock(ids),
    }


async def test_no_hot_query_reads_a_table_from_end_to_end(database, full):
    found = {name: await full_scans(database, work) for name, work in queries(full).items()}

    assert {name: scan for name, scan in found.items() if scan} == {}


async def test_figures_are_read_by_index(database, full):
    async def look(conn):
        store = StatsStore(conn)
        await store.begin()
        await store.count_jobs()
        await store.count_papers()
        await store.count_recent(timedelta(hours=1))
        await store.count_waiting("pdf", lowest=0, highest=10)
        await store.count_in_work("pdf")

    assert await full_scans(database, look) == []


async def test_cancelling_finds_the_tasks_of_a_job_by_index(database, full, sql):
    (plan,) = await sql(
        "EXPLAIN (FORMAT JSON) DELETE FROM pgqueuer"
        " WHERE headers ->> 'job' = '0190b8f5-0000-7000-8000-000000000000' AND status = 'queued'"
    )

    assert "Seq Scan" not in str(plan)
