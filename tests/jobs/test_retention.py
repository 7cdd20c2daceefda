"""Old jobs go, whole and for good; what is young, at work or of use to others stays."""

import asyncio
from datetime import timedelta

import pytest

from service.db import retention
from service.db.retention import Removed, RetentionStore
from service.domain.errors import NotFound
from service.jobs.maintenance.retention import remove_old_jobs
from service.jobs.retry import retry

ENDED = (
    "INSERT INTO jobs (status, started_at, completed_at) VALUES"
    " (:status, now(), now() - make_interval(days => :days)) RETURNING id"
)
PAPERS = (
    "INSERT INTO job_papers (job_id, arxiv_id, version, state) SELECT :job,"
    " '2301.' || lpad(n::text, 5, '0'), 1, 'failed' FROM generate_series(1, :n) n"
)
ERRORS = (
    "INSERT INTO job_errors (job_id, stage, error) SELECT :job, 'general', 'e'"
    " FROM generate_series(1, :n)"
)
MONTH = timedelta(days=30)


@pytest.fixture
def ended(sql):
    """Record a job that ended so many days ago, with papers and errors; its id."""

    async def add(days, *, papers=0, errors=0, status="completed"):
        ((job_id,),) = await sql(ENDED, status=status, days=days)
        await sql(PAPERS, job=job_id, n=papers)
        await sql(ERRORS, job=job_id, n=errors)
        return job_id

    return add


async def kept(sql):
    return {row.id for row in await sql("SELECT id FROM jobs")}


async def test_jobs_that_ended_long_ago_go_with_their_entries(database, sql, ended):
    for status in ("completed", "failed", "cancelled"):
        await ended(31, papers=2, errors=1, status=status)
    young = await ended(29, papers=2, errors=1)
    ((active,),) = await sql(
        "INSERT INTO jobs (status, created_at) VALUES ('pending', now() - interval '1 year')"
        " RETURNING id"
    )

    removed = await remove_old_jobs(database, older_than=MONTH)

    assert removed == Removed(jobs=3, job_papers=6, job_errors=3, job_events=9)
    assert await kept(sql) == {young, active}
    ((papers, errors, events),) = await sql(
        "SELECT (SELECT count(*) FROM job_papers), (SELECT count(*) FROM job_errors),"
        " (SELECT count(*) FROM job_events)"
    )
    assert (papers, errors, events) == (2, 1, 4)


async def test_a_large_job_goes_in_steps_and_the_next_goes_on(database, sql, ended, monkeypatch):
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 10)
    large = await ended(90, papers=25, errors=12)
    small = await ended(80, papers=1)

    first = await remove_old_jobs(database, older_than=MONTH, most_steps=1)

    assert first == Removed(jobs=0, job_papers=10, job_errors=10, job_events=6)
    assert await kept(sql) == {large, small}
    rest = await remove_old_jobs(database, older_than=MONTH)
    assert rest == Removed(jobs=2, job_papers=16, job_errors=2)


async def test_who_comes_while_another_removes_leaves_it_to_that_one(database, sql, ended):
    old = await ended(31)
    async with database.transaction() as conn:
        assert await RetentionStore(conn).is_alone()

        removed = await remove_old_jobs(database, older_than=MONTH)

    assert removed == Removed()
    assert await kept(sql) == {old}


async def test_a_job_that_is_being_retried_stays_until_that_is_final(database, sql, ended):
    old = await ended(31, papers=3)
    ((retrying,),) = await sql("INSERT INTO jobs (retry_of) VALUES (:old) RETURNING id", old=old)

    assert await remove_old_jobs(database, older_than=MONTH) == Removed()
    await sql("SELECT cancel_job(:job)", job=retrying)
    removed = await remove_old_jobs(database, older_than=MONTH)

    assert removed == Removed(jobs=1, job_papers=3, job_events=3)
    ((left, retry_of),) = await sql("SELECT id, retry_of FROM jobs")
    assert (left, retry_of) == (retrying, None)


async def test_a_schedule_stays_without_the_job_that_it_submitted(database, sql, ended):
    old = await ended(31)
    await sql(
        "INSERT INTO schedules (name, cron, request, last_run_at, last_job_id)"
        " VALUES ('nightly', '0 3 * * *', '{}', now(), :old)",
        old=old,
    )

    await remove_old_jobs(database, older_than=MONTH)

    ((name, last_job),) = await sql("SELECT name, last_job_id FROM schedules")
    assert (name, last_job) == ("nightly", None)


async def test_a_retry_that_comes_while_its_job_is_removed_finds_none(database, sql, ended):
    old = await ended(31, papers=3)
    async with database.transaction() as conn:
        store = RetentionStore(conn)
        assert await store.lock_old(older_than=MONTH) == [old]
        retrying = asyncio.create_task(retry(database, old, caller="tests"))
        await _until_somebody_waits(conn)
        await store.remove([old])

    with pytest.raises(NotFound):
        await retrying
    assert await kept(sql) == set()


async def _until_somebody_waits(conn):
    """Return once a session waits for a lock of ours; TimeoutError if none does."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    for _ in range(300):
        if (await conn.exec_driver_sql(waiting)).scalar_one():
            return
        await conn.exec_driver_sql("SELECT pg_sleep(0.05)")
    raise TimeoutError


async def test_a_job_with_more_errors_than_papers_goes_with_the_last_of_them(
    database, sql, ended, monkeypatch
):
    """Not with the last of its papers: a million errors would go with it in one statement."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 10)
    large = await ended(90, papers=1, errors=25)

    steps = [await remove_old_jobs(database, older_than=MONTH, most_steps=1) for _ in range(3)]

    assert steps == [Removed(0, 1, 10, 3), Removed(0, 0, 10), Removed(1, 0, 5)]
    assert large not in await kept(sql)


async def test_one_step_takes_so_many_jobs_and_no_more(database, sql, ended, monkeypatch):
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 2)
    for days in (60, 50, 40):
        await ended(days)

    steps = [await remove_old_jobs(database, older_than=MONTH, most_steps=1) for _ in range(3)]

    assert [step.jobs for step in steps] == [2, 1, 0]
