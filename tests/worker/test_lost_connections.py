"""An engine whose connections were ended, or whose queue cannot be reached."""

import pytest
from structlog.testing import capture_logs

from tests.worker.conftest import Leases, gone, none_in_work, running, tasks, until

KILL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name IN ('arxiv-ingestion queue', 'arxiv-ingestion listen')"
)


async def test_the_engine_comes_back_when_all_its_connections_were_ended(
    engine, queue, runs, job_id, sql
):
    async with running(engine(runs, poll=2)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()

        ((killed,),) = await sql(KILL)
        await queue(tasks(job_id, range(1, 2)))
        await runs.begun()

    assert killed >= 2


async def test_a_long_run_holds_up_nothing_when_connections_were_ended(engine, queue, job_id, sql):
    runs = Leases()  # which does not let go
    async with running(engine(runs, poll=2)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()

        await sql(KILL)
        await queue(tasks(job_id, range(1, 2)))
        await runs.begun()

        assert runs.at_once == 2


async def test_results_are_written_when_the_database_is_back(engine, queue, job_id, sql):
    runs = Leases()
    async with running(engine(runs)):
        await queue(tasks(job_id, range(3)))
        for _ in range(3):
            await runs.begun()
        await sql("ALTER TABLE pgqueuer RENAME TO away")  # a database that is not there yet
        runs.free.set()
        await until(lambda: none_in_work(runs))
        await sql("ALTER TABLE away RENAME TO pgqueuer")
        await until(lambda: gone(sql))

    assert runs.count == 3


async def test_work_stops_before_its_lease_lapses_when_that_cannot_be_renewed(
    engine, queue, job_id, sql, caplog
):
    runs = Leases()
    async with running(engine(runs, lease=3)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await sql("ALTER TABLE pgqueuer RENAME TO away")
        try:
            await until(lambda: none_in_work(runs))
            left = await sql("SELECT status::text, now() - heartbeat < interval '3 s' FROM away")
        finally:
            await sql("ALTER TABLE away RENAME TO pgqueuer")

    assert left == [("picked", True)]
    logged = [record.message for record in caplog.records if record.name == "pgqueuer"]
    assert not [
        message for message in logged if "Flush failed" in message
    ]  # the outage log says it


@pytest.mark.parametrize("fleet", [0, 3], ids=["no fleet limit", "fleet limit"])
async def test_it_claims_again_when_all_its_places_were_lost_to_an_outage(
    engine, queue, job_id, sql, fleet
):
    """Rows of its own whose lease has lapsed take up none of its places."""
    runs = Leases()
    claiming = engine(runs, lease=1.5, concurrency=3, fleet_concurrency=fleet)
    with capture_logs() as log:
        async with running(claiming):
            await queue(tasks(job_id, range(4)))
            for _ in range(3):
                await runs.begun()
            await sql("ALTER TABLE pgqueuer RENAME TO away")
            try:
                await until(lambda: none_in_work(runs), seconds=20)
                await until(lambda: _left_to_their_leases(log, 3), seconds=20)
            finally:
                await sql("ALTER TABLE away RENAME TO pgqueuer")
            runs.free.set()
            await until(lambda: gone(sql))

    assert runs.count >= 7  # three twice, and one


async def test_it_listens_again_when_all_its_connections_were_ended(
    engine, queue, runs, job_id, sql
):
    async with running(engine(runs, poll=4)):
        await queue(tasks(job_id, range(1)))
        await runs.begun()
        await sql(KILL)
        await queue(tasks(job_id, range(1, 2)))
        await runs.begun(seconds=20)
        await until(lambda: _listens(sql))

        for number in range(2, 5):
            await queue(tasks(job_id, range(number, number + 1)))
            await runs.begun(seconds=2)


async def _left_to_their_leases(log, wanted) -> bool:
    """Nothing more is tried for so many tasks."""
    return sum(line["event"] == "result not recorded, lease will expire" for line in log) == wanted


async def _listens(sql) -> bool:
    rows = await sql(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'arxiv-ingestion listen'"
        " AND query ILIKE 'LISTEN%'"
    )
    return bool(rows)
