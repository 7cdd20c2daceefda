"""A worker's row in `workers`, and the error when it claims nothing of what is due."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from service import __version__
from service.db.workers import Overdue, WorkerStore
from service.worker.heartbeat import StallDetector, keep_heartbeat
from service.worker.task import Kind
from tests.worker.conftest import Leases, running, tasks, until

NOW = "SELECT tasks FROM workers WHERE heartbeat_at > now() - interval '1 s'"


@asynccontextmanager
async def beating(engine, database):
    """The heartbeat of an engine, for the block."""
    task = asyncio.create_task(keep_heartbeat(engine, database))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_worker_is_alive_with_its_tasks_in_hand_until_it_ends(
    engine, queue, job_id, sql, database
):
    runs = Leases()
    at_work = engine(runs, lease=1)
    async with running(at_work), beating(at_work, database):
        await queue(tasks(job_id, range(2)))
        await runs.begun()
        await runs.begun()
        await until(lambda: _is(sql, NOW, [(2,)]))
        async with database.transaction() as conn:
            (row,) = await WorkerStore(conn).list_alive()
            alive = await WorkerStore(conn).count_alive()
        runs.free.set()

    assert (alive, row.tasks, row.version) == (1, 2, __version__)
    assert await sql("SELECT 1 FROM workers") == []


async def test_a_worker_that_is_silent_for_two_leases_is_not_alive(database, sql):
    for ago in (2.5, 1.5):
        async with database.transaction() as conn:
            facts = {"host": "a", "pid": 1, "version": "1", "tasks": 0}
            await WorkerStore(conn).beat(uuid4(), lease=timedelta(seconds=100), **facts)
        await sql(
            "UPDATE workers SET heartbeat_at = now() - CAST(:ago AS interval)"
            " WHERE heartbeat_at > now() - CAST(:new AS interval)",
            ago=timedelta(seconds=100 * ago),
            new=timedelta(seconds=100),
        )

    async with database.transaction() as conn:
        store = WorkerStore(conn)
        assert await store.count_alive() == 1
        assert await store.remove_silent(kept=timedelta(seconds=200)) == 1
        assert await store.last_heartbeat() is not None


@pytest.fixture
async def claims_again(sql):
    """Whatever becomes of the test."""
    yield
    await sql(CLAIMS)


@pytest.mark.usefixtures("claims_again")
@pytest.mark.parametrize("fleet_limit", [0, 5])
async def test_case_101_due_tasks_that_a_free_worker_does_not_claim_are_a_stall(
    engine, queue, job_id, sql, database, monkeypatch, fleet_limit
):
    """Whatever the cause; here each claim loses the rows that it has found."""
    runs = Leases()
    at_work = engine(runs, lease=1, poll=0.1, fleet_concurrency=fleet_limit)
    with capture_logs() as log:
        async with running(at_work), beating(at_work, database):
            for statement in NO_CLAIMS:
                await sql(statement)
            await queue(tasks(job_id, range(3)))
            await until(lambda: _logged(log, "worker stalled"), seconds=20)
            await sql(CLAIMS)
            runs.free.set()
            await until(lambda: _logged(log, "worker no longer stalled"), seconds=20)
            async with database.transaction() as conn:
                stalls = await WorkerStore(conn).stalls()

    begun = [line for line in log if line["event"] == "worker stalled"]
    assert [(line["log_level"], line["kind"], line["due"]) for line in begun] == [
        ("error", "test", 3)
    ]
    assert stalls == 1


class Engine:
    """What the detector asks of an engine."""

    is_taking = True
    in_work = 0
    at = float("-inf")

    def count_in_work(self, _):
        return self.in_work

    def claimed_at(self, _):
        return self.at


TWO = Kind(name="test", handler=None, concurrency=2, fleet_concurrency=4)


@pytest.fixture
def detector():
    return StallDetector([TWO], timedelta(seconds=10))


def test_a_kind_is_idle_after_two_leases_without_a_claim_or_a_full_worker(detector):
    engine = Engine()
    assert detector.idle(engine, 0) == []
    assert detector.idle(engine, 19) == []
    engine.at = 15
    assert detector.idle(engine, 20) == []
    engine.in_work = 2
    assert detector.idle(engine, 36) == []
    engine.in_work = 1
    assert detector.idle(engine, 55) == []
    assert detector.idle(engine, 56) == [TWO]
    detector.forgive(57)  # the database was unavailable
    assert detector.idle(engine, 76) == []
    assert detector.idle(engine, 77) == [TWO]
    engine.is_taking = False
    assert detector.idle(engine, 100) == []


@pytest.mark.parametrize(
    ("overdue", "stalls"),
    [
        ([], 0),
        ([Overdue("test", due=0, running=0, seconds=0)], 0),
        ([Overdue("test", due=1, running=4, seconds=30)], 0),  # as many as the fleet may
        ([Overdue("other", due=1, running=0, seconds=30)], 0),
        ([Overdue("test", due=1, running=3, seconds=30)], 1),
    ],
)
def test_only_what_nothing_holds_back_is_a_stall_and_it_begins_once(detector, overdue, stalls):
    assert detector.judge([TWO], overdue, 0) == stalls
    assert detector.judge([TWO], overdue, 1) == 0
    assert detector.judge([], overdue, 2) == 0
    assert detector.judge([TWO], overdue, 3) == stalls


CLAIMS = "DROP FUNCTION IF EXISTS no_claims() CASCADE"
NO_CLAIMS = (
    CLAIMS,
    "CREATE FUNCTION no_claims() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "CREATE TRIGGER no_claims BEFORE UPDATE ON pgqueuer FOR EACH ROW EXECUTE FUNCTION no_claims()",
)


async def _is(sql, statement, wanted) -> bool:
    return await sql(statement) == wanted


async def _logged(log, event) -> bool:
    return any(line["event"] == event for line in log)
