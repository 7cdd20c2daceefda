"""Schedules run: once for each moment, on however many workers, whatever dies."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.db.schedules import ScheduleStore
from service.domain.errors import Conflict
from service.domain.jobs import AuditCriteria, Criteria, JobStatus, OaiCriteria
from service.domain.moving_dates import ScheduledRequest
from service.jobs.quotas import Quotas
from service.jobs.schedules import add_schedule, change_schedule, run_due
from tests.conftest import make_request
from tests.jobs.conftest import kill

EVERY_MINUTE = "* * * * *"
RARELY = "0 0 1 1 *"  # no moment comes by itself while a test runs
COMPLETE = "UPDATE jobs SET status = 'completed', started_at = now(), completed_at = now()"
STATE = "SELECT missed_at IS NULL AS is_up_to_date, next_run_at > now() AS is_ahead FROM schedules"


@pytest.fixture
def add(database):
    """A schedule of that name, whose first run is due when a test says so; its id."""

    async def add(name="nightly", **changes):
        wanted = {"name": name, "cron": RARELY, "timezone": "UTC", "is_paused": False}
        moving = changes.pop("moving", {})
        request = changes.pop("request", None) or make_request(process_pdfs=False)
        scheduled = ScheduledRequest(request, moving)
        async with database.transaction() as conn:
            made = await add_schedule(conn, scheduled, {**wanted, **changes}, caller="alice")
        return made.id

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
    schedule_id = await add(cron=EVERY_MINUTE)
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
    await sql(COMPLETE)
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


async def test_while_the_last_job_is_unfinished_moments_are_left_out_and_made_up_once(
    database, sql, add, due, capsys
):
    schedule_id = await add()
    await due(schedule_id)
    first = await run_due(database)
    for _ in range(2):
        await due(schedule_id)
        assert await run_due(database) == []
    skipped = capsys.readouterr().out.count("schedule run skipped")
    assert await sql(STATE) == [(False, True)]

    await sql(COMPLETE)
    submitted = [await run_due(database) for _ in range(3)]

    assert len(first) == 1
    assert skipped == 2
    assert [len(jobs) for jobs in submitted] == [1, 0, 0]
    assert await sql(STATE) == [(True, True)]


async def test_many_workers_make_up_for_what_was_missed_once(database, sql, add, due):
    schedule_id = await add()
    await due(schedule_id)
    await run_due(database)
    await due(schedule_id)
    await run_due(database)
    await sql(COMPLETE)

    submitted = await asyncio.gather(*(run_due(database) for _ in range(6)))

    assert sum(len(jobs) for jobs in submitted) == 1


async def test_what_was_missed_while_it_is_paused_is_not_made_up_for(database, sql, add, due):
    schedule_id = await add()
    await due(schedule_id)
    await run_due(database)
    await due(schedule_id)
    await run_due(database)
    async with database.transaction() as conn:
        before = await ScheduleStore(conn).get(schedule_id, lock=True)
        paused = await change_schedule(conn, before, {"is_paused": True})
        await change_schedule(conn, paused, {"is_paused": False})
    await sql(COMPLETE)

    assert await run_due(database) == []
    assert await sql(STATE) == [(True, True)]


@pytest.mark.slow_faults
async def test_a_run_that_is_missed_outlives_workers_that_are_killed(rig, sql, add, due):
    """Two replicas; the one that harvests dies, and so does the other while a moment is missed."""
    schedule_id = await add(request=make_request(process_pdfs=False, max_papers=3))
    rig.replica.script([{"kind": "hold", "lane": "api", "number": 1, "seconds": 60}])
    async with rig.process() as one, rig.process() as other:
        await due(schedule_id)
        await rig.replica.wait_until_held(timeout=90)
        await due(schedule_id)  # the first job is still at work
        await until(sql, "SELECT 1 FROM schedules WHERE missed_at IS NOT NULL")
        await kill(one)
        await kill(other)
    rig.replica.release()

    async with rig.process(), rig.process():
        await until(
            sql,
            "SELECT 1 FROM schedules JOIN jobs ON jobs.id = last_job_id WHERE missed_at IS NULL"
            " AND status = 'completed' AND (SELECT count(*) FROM jobs) > 1",
        )

    assert await sql("SELECT status, count(*)::int FROM jobs GROUP BY 1") == [("completed", 2)]


async def until(sql, statement):
    """Return when the statement gives a row; the workers are other processes."""
    async with asyncio.timeout(90):
        while not await sql(statement):
            await sql("SELECT pg_sleep(0.05)")


DAYS = "SELECT request -> 'search_query' FROM jobs ORDER BY created_at DESC, id DESC LIMIT 1"
TODAY = datetime.now(UTC).date


async def test_words_become_utc_days_in_the_request_of_the_job(database, sql, add, due):
    words = {"from_date": "today-7d", "to_date": "yesterday"}
    schedule_id = await add(timezone="Pacific/Kiritimati", moving=words)
    await due(schedule_id)
    today = TODAY()

    await run_due(database)

    ((query,),) = await sql(DAYS)
    ((kept,),) = await sql("SELECT request -> 'search_query' FROM schedules")
    assert query["from_date"] == f"{today - timedelta(days=7):%Y%m%d}"
    assert query["to_date"] == f"{today - timedelta(days=1):%Y%m%d}"
    assert {name: kept[name] for name in words} == words


async def test_last_success_is_the_day_before_the_last_completed_job(database, sql, add, due):
    schedule_id = await add(
        request=make_request(
            source="oai",
            oai=OaiCriteria(set="cs"),
            criteria=Criteria(),
            process_pdfs=False,
            max_papers=None,
        ),
        moving={"from_date": "last_success"},
    )
    asked = []
    for end in (
        "status = 'completed', created_at = '2026-03-05T23:59:59Z'",
        "status = 'failed', created_at = '2026-03-07T12:00:00Z'",
        "status = 'completed', created_at = '2026-03-08T00:00:00Z',"
        """ facts = '{"unproven_from": "2026-03-04"}'""",
        "status = 'completed'",
    ):
        await due(schedule_id)
        (job_id,) = await run_due(database)
        ((window,),) = await sql("SELECT request -> 'oai' FROM jobs WHERE id = :id", id=job_id)
        asked.append(window.get("from_date"))
        await sql(
            f"UPDATE jobs SET {end}, started_at = now(), completed_at = now() WHERE id = :id",
            id=job_id,
        )

    assert asked == [None, "2026-03-04", "2026-03-04", "2026-03-04"]


async def test_a_run_for_which_no_day_is_left_is_skipped(database, sql, add, due):
    request = make_request(
        source="audit",
        audit=AuditCriteria(from_date=TODAY(), to_date=TODAY()),
        criteria=Criteria(),
        max_papers=None,
    )
    schedule_id = await add(request=request, moving={"to_date": "yesterday"})
    await due(schedule_id)

    assert await run_due(database) == []
    assert await sql(STATE) == [(True, True)]


async def test_a_schedule_of_an_unknown_zone_is_paused(database, sql, add, due):
    await due(await add())
    await sql("UPDATE schedules SET timezone = 'Mars/Olympus'")

    assert await run_due(database) == []
    assert await sql("SELECT is_paused FROM schedules") == [(True,)]


async def test_the_next_run_is_by_the_clocks_of_its_zone(database, sql, add, due):
    await due(await add(cron="30 4 * * *", timezone="Asia/Kolkata"))

    await run_due(database)

    ((at,),) = await sql("SELECT next_run_at FROM schedules")
    assert (at.astimezone(UTC).hour, at.minute) == (23, 0)
