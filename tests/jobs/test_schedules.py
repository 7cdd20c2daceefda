"""Schedules run: once for each moment, on however many workers, whatever dies."""

import asyncio

import pytest

from service.domain.errors import Conflict
from service.domain.jobs import JobStatus
from service.jobs.quotas import Quotas
from service.jobs.schedules import add_schedule, run_due
from tests.conftest import make_request

EVERY_MINUTE = "* * * * *"


@pytest.fixture
def add(database):
    """A schedule of that name, whose first run is due when a test says so; its id."""

    async def add(name="nightly", **changes):
        wanted = {"name": name, "cron": EVERY_MINUTE, "is_paused": False, **changes}
        wanted.setdefault("request", make_request(process_pdfs=False))
        async with database.transaction() as conn:
            return (await add_schedule(conn, wanted, caller="alice")).id

    return add


@pytest.fixture
def due(sql):
    """Let the next run of a schedule have been due for so long."""

    async def due(schedule_id, ago="0 seconds"):
        await sql(
            f"UPDATE schedules SET next_run_at = now() - interval '{ago}' WHERE id = :id",
            id=schedule_id,
        )

    return due


async def test_a_schedule_that_is_due_submits_its_job_and_moves_on(database, sql, add, due):
    schedule_id = await add()
    await due(schedule_id)

    (job_id,) = await run_due(database)

    ((caller, key, request),) = await sql("SELECT requested_by, idempotency_key, request FROM jobs")
    ((last_job, is_ahead, has_run),) = await sql(
        "SELECT last_job_id, next_run_at > now() AND next_run_at <= now() + interval '1 minute',"
        " last_run_at <= now() FROM schedules"
    )
    assert (caller, request) == ("alice", make_request(process_pdfs=False).dump())
    assert key.startswith(f"schedule:{schedule_id}:")
    assert (last_job, is_ahead, has_run) == (job_id, True, True)
    assert await sql("SELECT entrypoint FROM pgqueuer") == [("harvest",)]


async def test_nothing_is_submitted_before_its_moment(database, sql, add):
    await add()
    await sql("UPDATE schedules SET next_run_at = now() + interval '1 second'")

    assert await run_due(database) == []


async def test_a_missed_day_runs_once(database, sql, add, due):
    await due(await add(), "1 day")

    submitted = [await run_due(database) for _ in range(3)]

    assert [len(jobs) for jobs in submitted] == [1, 0, 0]


async def test_a_paused_schedule_never_runs(database, sql, add, due):
    schedule_id = await add()
    await due(schedule_id, "1 hour")
    await sql("UPDATE schedules SET is_paused = true")

    assert await run_due(database) == []


async def test_schedules_of_a_blocked_caller_wait(database, sql, add, due):
    await due(await add(), "1 hour")
    await sql("INSERT INTO callers (sub) VALUES ('alice')")
    blocked = await run_due(database)
    await sql("UPDATE callers SET is_blocked = false")

    assert blocked == []
    assert len(await run_due(database)) == 1


async def test_many_workers_submit_each_due_job_once(database, sql, add, due):
    for number in range(10):
        await due(await add(f"number {number}"), "1 minute")

    submitted = await asyncio.gather(*(run_due(database) for _ in range(6)))

    assert sum(len(jobs) for jobs in submitted) == 10
    assert await sql("SELECT count(*), count(DISTINCT last_job_id) FROM schedules") == [(10, 10)]
    assert await sql("SELECT count(*) FROM jobs") == [(10,)]


async def test_a_worker_that_dies_before_its_commit_leaves_the_run_to_others(
    database, sql, add, due, monkeypatch
):
    schedule_id = await add()
    await due(schedule_id, "1 minute")
    async with database.engine.connect() as dying:
        await dying.exec_driver_sql("SELECT * FROM schedules FOR UPDATE")
        meanwhile = await run_due(database)
        await dying.rollback()

    assert meanwhile == []
    assert len(await run_due(database)) == 1


async def test_a_moment_that_comes_again_submits_nothing_twice(database, sql, add):
    await add()
    turn_back = "UPDATE schedules SET next_run_at = '2026-01-01T00:00:00Z'"
    await sql(turn_back)
    first = await run_due(database)
    await sql(turn_back)

    again = await run_due(database)

    assert (len(first), again) == (1, [])
    assert await sql("SELECT last_job_id FROM schedules WHERE next_run_at > now()") == [(first[0],)]


async def test_a_schedule_that_an_operator_wrote_gets_its_next_moment_first(database, sql, add):
    await add()
    await sql(
        "INSERT INTO schedules (name, cron, request)"
        " SELECT 'by hand', '0 0 1 1 *', request FROM schedules"
    )

    submitted = await run_due(database)

    ((is_new_year,),) = await sql(
        "SELECT next_run_at = date_trunc('year', now()) + interval '1 year' FROM schedules"
        " WHERE name = 'by hand'"
    )
    assert submitted == []
    assert is_new_year


@pytest.mark.parametrize("column", ["cron = 'nonsense'", "request = '{}'", "request = '[]'"])
async def test_a_schedule_that_nobody_can_read_is_paused_and_holds_up_no_other(
    database, sql, add, due, column
):
    await due(await add("wrong"), "2 minutes")
    await due(await add("right"), "1 minute")
    await sql(f"UPDATE schedules SET {column} WHERE name = 'wrong'")

    submitted = await run_due(database)

    assert len(submitted) == 1
    assert await sql("SELECT name FROM schedules WHERE is_paused") == [("wrong",)]


async def test_a_worker_runs_what_is_due_to_its_end(rig, sql, add, due):
    await due(await add(), "1 hour")

    async with rig.worker():
        async with asyncio.timeout(60):
            while not (found := await sql("SELECT id FROM jobs")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        job = await rig.final(found[0].id)

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 10


async def test_a_moment_without_room_for_its_job_is_left_out(database, sql, add, due):
    first, second = await add("first"), await add("second")
    await due(first)
    await due(second)
    admission = Quotas(per_caller=1)

    submitted = await run_due(database, admission)

    rows = await sql(
        "SELECT last_job_id IS NOT NULL, next_run_at > now() FROM schedules ORDER BY 1"
    )
    assert len(submitted) == 1
    assert rows == [(False, True), (True, True)]


async def test_a_full_queue_is_full_for_schedules_too(database, sql, add, due):
    await sql("INSERT INTO jobs (requested_by) VALUES ('bob')")
    await due(await add())
    admission = Quotas(in_all=1)
    await admission.look(database)

    assert await run_due(database, admission) == []


async def test_a_caller_may_have_so_many_schedules_and_no_more(database, sql, add):
    await sql(
        "INSERT INTO schedules (name, cron, request, created_by)"
        " SELECT n::text, '0 3 * * *', '{}', 'alice' FROM generate_series(1, 99) AS n"
    )
    await add("the last")

    with pytest.raises(Conflict, match="100 schedules"):
        await add("one more")
