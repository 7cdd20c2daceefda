"""A job read as one text is the job that the columns hold, in every state."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select

from service.db.job_rows import to_job
from service.db.jobs import JobStore
from service.db.tables import job_errors, jobs
from service.domain.jobs import Job, JobError, JobStatus, Priority, Stage

COLUMNS = [jobs.c[name] for name in Job._fields if name != "errors"]
COUNTERS = [column.name for column in COLUMNS if column.name.startswith(("pa", "pdfs", "resumed"))]
MOST = 2**31 - 1
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=30))

STATES = {
    "pending": {},
    "running": {"status": "running", "taken_up_at": NOON, "started_at": NOON, "papers_total": 7},
    "completed": {"status": "completed", "completed_at": NOON + timedelta(microseconds=1)},
    "failed": {"status": "failed", "completed_at": NOON.replace(microsecond=120_000)},
    "cancelled": {"status": "cancelled", "completed_at": datetime(1970, 1, 1, tzinfo=UTC)},
    "elsewhere": {"created_at": datetime(2026, 1, 1, 2, 0, 0, 5, tzinfo=EAST)},
    "far off": {"created_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)},
    "huge": {**dict.fromkeys(COUNTERS, MOST), "version": 2**63 - 1},
    "unicode": {
        "priority": "high",
        "requested_by": 'Zoë "\\ \u2028 𝔄',
        "request": {"search_query": {"title": 'ψ "q" \\ \n \x7f 😀', "n": 1e300}, "b": [1.5, None]},
    },
    "request of any shape": {"request": [1, "a", {"z": 1, "a": {}}]},
    "on its way": {"checkpoint": {"resumption": "ü", "at": [1, 2]}},
}


@pytest.fixture
def stored(database):
    """A job with these columns, and with these errors; its id."""

    async def stored(columns, errors=()):
        async with database.transaction() as conn:
            job_id = (
                await conn.execute(insert(jobs).values(columns).returning(jobs.c.id))
            ).scalar_one()
            for error in errors:
                await conn.execute(insert(job_errors).values(job_id=job_id, **error))
        return job_id

    return stored


async def columns_of(database, job_id) -> dict:
    """The columns of the job, each decoded by the driver."""
    async with database.transaction() as conn:
        row = (await conn.execute(select(*COLUMNS).where(jobs.c.id == job_id))).one()
    return {
        **row._asdict(),
        "status": JobStatus(row.status),
        "priority": Priority(row.priority),
    }


@pytest.mark.parametrize("columns", STATES.values(), ids=STATES)
async def test_a_job_read_as_one_text_is_what_its_columns_hold(
    database, open_reads, stored, columns
):
    job_id = await stored(columns)

    async with database.transaction() as conn:
        job = await JobStore(conn).get(job_id)

    assert job._asdict() == {**await columns_of(database, job_id), "errors": ()}
    assert job == to_job(await open_reads(database).get(job_id))


async def test_moments_without_end_are_the_last_ones_of_utc(
    database, open_reads, stored, sql, unchecked_moments
):
    job_id = await stored({})
    await sql("UPDATE jobs SET started_at = '-infinity', created_at = 'infinity'")

    job = to_job(await open_reads(database).get(job_id))

    assert job.started_at == datetime.min.replace(tzinfo=UTC)
    assert job.created_at == datetime.max.replace(tzinfo=UTC)


async def test_a_retry_names_the_job_that_it_is_of(database, open_reads, stored):
    first = await stored({"status": "failed", "completed_at": NOON})

    retry = to_job(await open_reads(database).get(await stored({"retry_of": first})))

    assert retry.retry_of == first


async def test_errors_come_whole_and_in_the_order_of_time(database, open_reads, stored):
    late = {"occurred_at": NOON + timedelta(microseconds=10), "stage": "general", "error": "late"}
    whole = {
        "occurred_at": NOON,
        "stage": "pdf_download",
        "error": 'it said "\\ü😀"\n',
        "code": "pdf_unavailable",
        "arxiv_id": "2301.00001",
        "attempt": MOST,
    }

    job = to_job(await open_reads(database).get(await stored({}, [late, whole])))

    plain = JobError(
        stage=Stage.GENERAL, message="late", code=None, occurred_at=late["occurred_at"]
    )
    named = {key: whole[key] for key in ("code", "arxiv_id", "attempt", "occurred_at")}
    assert job.errors == (
        JobError(stage=Stage.PDF_DOWNLOAD, message=whole["error"], **named),
        plain,
    )
    assert job.errors_total == 2


async def test_a_state_that_is_equal_stands_for_an_equal_job(database, open_reads, stored, sql):
    job_id, reads = await stored(STATES["unicode"]), open_reads(database)
    before, again = await reads.get(job_id), await reads.get(job_id)

    await sql("UPDATE jobs SET papers_fetched = 1 WHERE id = :id", id=job_id)
    counted = await reads.get(job_id)
    await sql(
        "INSERT INTO job_errors (job_id, stage, error) VALUES (:id, 'general', '')", id=job_id
    )

    assert before == again
    assert len({before, counted, await reads.get(job_id)}) == 3
