"""Jobs: a status leaves only where it may, a checkpoint moves only from where it was read."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from service.db.jobs import JobStore
from service.domain.channels import WaitReason
from service.domain.checkpoint import Checkpoint
from service.domain.errors import NotFound
from tests.conftest import make_request

HERE = Checkpoint(source="search", state={"offset": 5})
THERE = Checkpoint(source="search", state={"offset": 10})


async def call(database, method: str, *args, **kwargs):
    """One method of the store in a transaction of its own."""
    async with database.transaction() as conn:
        return await getattr(JobStore(conn), method)(*args, **kwargs)


async def step(database, job_id, before, after) -> bool:
    """One page, as the harvest stores it."""
    async with database.transaction() as conn:
        store = JobStore(conn)
        if not await store.lock_at(job_id, before and before.dump()):
            return False
        await store.advance(job_id, after, counters={"papers_fetched": 5}, total=100)
        return True


@pytest.fixture
async def fresh(database):
    """A job that nobody has taken up."""
    job = await call(database, "add", make_request(), caller="alice")
    return job.id


async def test_taking_up_begins_a_job_once(database, fresh):
    row = await call(database, "claim_page", fresh)
    first = await call(database, "get", fresh)
    await call(database, "release", fresh, starts=1, failed=True)
    await call(database, "claim_page", fresh)
    second = await call(database, "get", fresh)

    assert (row.harvest_starts, row.harvest_attempts, row.checkpoint) == (1, 0, None)
    assert row.request == make_request().dump()
    assert first.status == "running"
    assert first.started_at is not None
    assert (second.started_at, second.taken_up_at) == (first.started_at, first.taken_up_at)
    assert second.resumed == 0


async def test_taking_over_from_the_dead_is_counted(database, fresh):
    await call(database, "claim_page", fresh)

    row = await call(database, "claim_page", fresh)
    job = await call(database, "get", fresh)

    assert row.harvest_starts == 2
    assert job.resumed == 1


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_final_job_is_not_taken_up(database, fresh, sql, status):
    await sql(f"UPDATE jobs SET status = '{status}'")

    assert await call(database, "claim_page", fresh) is None
    assert (await call(database, "get", fresh)).status == status


async def test_a_harvested_job_is_not_taken_up(database, fresh, sql):
    await sql("UPDATE jobs SET status = 'running', is_harvested = true")

    assert await call(database, "claim_page", fresh) is None


async def test_a_release_that_is_written_twice_counts_once(database, fresh, sql):
    row = await call(database, "claim_page", fresh)

    for _ in range(2):
        await call(database, "release", fresh, starts=row.harvest_starts, failed=True)

    assert await sql("SELECT harvest_starts, harvest_attempts FROM jobs") == [(0, 1)]


async def test_a_late_release_does_not_touch_the_start_of_another(database, fresh, sql):
    stale = await call(database, "claim_page", fresh)
    await call(database, "claim_page", fresh)

    await call(database, "release", fresh, starts=stale.harvest_starts, failed=True)

    assert await sql("SELECT harvest_starts, harvest_attempts FROM jobs") == [(2, 0)]


async def test_a_page_moves_the_checkpoint_once(database, fresh, sql):
    await call(database, "claim_page", fresh)

    assert await step(database, fresh, None, HERE)
    assert not await step(database, fresh, None, HERE)
    assert await step(database, fresh, HERE, THERE)
    assert not await step(database, fresh, HERE, THERE)

    assert await sql("SELECT papers_fetched, checkpoint FROM jobs") == [(10, THERE.dump())]


async def test_of_two_workers_with_one_page_one_stores_it(database, other_database, fresh, sql):
    await call(database, "claim_page", fresh)

    stored = await asyncio.gather(
        *(step(pool, fresh, None, HERE) for pool in (database, other_database) * 5)
    )

    assert sorted(stored) == [False] * 9 + [True]
    assert await sql("SELECT papers_fetched FROM jobs") == [(5,)]


async def test_without_the_guard_both_would(database, fresh, sql):
    await call(database, "claim_page", fresh)

    async def unguarded() -> None:
        async with database.transaction() as conn:
            store = JobStore(conn)
            job = await store.get(fresh)
            await both_have_read.wait()
            if job.checkpoint is None:
                await store.advance(fresh, HERE, counters={"papers_fetched": 5}, total=None)

    both_have_read = asyncio.Barrier(2)
    await asyncio.gather(unguarded(), unguarded())

    assert await sql("SELECT papers_fetched FROM jobs") == [(10,)]


@pytest.mark.parametrize("status", ["pending", "completed", "failed", "cancelled"])
async def test_no_page_is_stored_for_a_job_that_does_not_run(database, fresh, sql, status):
    await sql(f"UPDATE jobs SET status = '{status}'")

    assert not await step(database, fresh, None, HERE)


@pytest.mark.parametrize(
    ("pending", "is_harvested", "status"),
    [(0, True, "completed"), (1, True, "running"), (0, False, "running")],
)
async def test_a_job_completes_when_nothing_is_left(
    database, fresh, sql, pending, is_harvested, status
):
    await sql(
        "UPDATE jobs SET status = 'running', pdfs_pending = :p, is_harvested = :h",
        p=pending,
        h=is_harvested,
    )

    await call(database, "complete_finished", [fresh])

    assert (await call(database, "get", fresh)).status == status


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_final_status_is_never_left(database, fresh, sql, status):
    await sql(f"UPDATE jobs SET status = '{status}', is_harvested = true")
    before = await sql("SELECT * FROM jobs")

    failed = await call(database, "fail", fresh)
    cancelled = await call(database, "cancel", fresh)
    await call(database, "complete_finished", [fresh])

    assert not failed
    assert cancelled == f"already {status}"
    assert await sql("SELECT * FROM jobs") == before


async def test_cancelling_and_completing_at_once_end_in_one_of_both(database, fresh, sql):
    for _ in range(10):
        await sql("DELETE FROM jobs")
        ((job_id,),) = await sql(
            "INSERT INTO jobs (status, is_harvested) VALUES ('running', true) RETURNING id"
        )

        outcome, _ = await asyncio.gather(
            call(database, "cancel", job_id), call(database, "complete_finished", [job_id])
        )

        expected = {"cancelled": "cancelled", "already completed": "completed"}[outcome]
        assert (await call(database, "get", job_id)).status == expected


async def test_an_unknown_job_is_not_found(database):
    with pytest.raises(NotFound):
        await call(database, "get", uuid4())
    assert await call(database, "cancel", uuid4()) == "not found"
    assert not await call(database, "fail", uuid4())


async def test_final_and_vanished_jobs_need_no_work(database, sql):
    rows = await sql(
        "INSERT INTO jobs (status) VALUES ('pending'), ('running'), ('completed'), ('cancelled')"
        " RETURNING id"
    )
    ids, vanished = [row.id for row in rows], uuid4()

    final = await call(database, "final_among", [*ids, vanished])

    assert final == {ids[2], ids[3], vanished}


async def test_the_version_grows_with_every_visible_change_and_only_then(database, fresh, sql):
    versions = [(await call(database, "get", fresh)).version]
    for change in ("papers_fetched = 1", "harvest_attempts = 1", "status = 'running'"):
        await sql(f"UPDATE jobs SET {change}")
        versions.append((await call(database, "get", fresh)).version)

    assert versions == [1, 2, 2, 3]


async def test_job_ids_sort_by_the_moment_of_their_making(sql):
    for _ in range(5):
        await sql("INSERT INTO jobs DEFAULT VALUES")

    rows = await sql("SELECT id, created_at FROM jobs ORDER BY created_at")

    moments = [row.id.int >> 80 for row in rows]
    assert moments == sorted(moments)
    assert all(row.id.version == 7 and row.id.variant.startswith("specified") for row in rows)
    assert abs(moments[0] / 1000 - rows[0].created_at.timestamp()) < 1


WAITS = "SELECT waiting_for, waiting_since, version FROM jobs"


async def test_a_wait_is_noted_once_and_raises_the_version(database, fresh, sql):
    await call(database, "claim_page", fresh)
    before = await sql(WAITS)

    await call(database, "wait", fresh, WaitReason.ARXIV_UNAVAILABLE)
    first = await sql(WAITS)
    await call(database, "wait", fresh, WaitReason.ARXIV_UNAVAILABLE)

    assert first[0].waiting_for == "arxiv_unavailable"
    assert first[0].version == before[0].version + 1
    assert await sql(WAITS) == first


async def test_from_an_outage_to_a_cooldown_a_job_goes_on_waiting_for_arxiv(database, fresh, sql):
    """But not from a pause, which may last longer than jobs wait for arXiv."""
    await call(database, "claim_page", fresh)
    moments = []
    for reason in ("ARXIV_PAUSED", "ARXIV_UNAVAILABLE", "ARXIV_COOLDOWN", "ARXIV_PAUSED"):
        await call(database, "wait", fresh, WaitReason[reason])
        moments.append((await sql(WAITS))[0].waiting_since)

    assert moments[0] < moments[1] == moments[2] < moments[3]


async def test_a_pending_job_waits_for_nothing(database, fresh, sql):
    await call(database, "wait", fresh, WaitReason.ARXIV_PAUSED)

    assert (await sql(WAITS))[0].waiting_for is None


@pytest.mark.parametrize("how", ["a step is stored", "a try failed", "a PDF is done", "it ends"])
async def test_the_first_task_that_gets_through_ends_the_wait(database, fresh, sql, how):
    await call(database, "claim_page", fresh)
    await call(database, "wait", fresh, WaitReason.ARXIV_UNAVAILABLE)

    match how:
        case "a step is stored":
            await call(database, "advance", fresh, HERE, counters={}, total=None)
        case "a try failed":
            await call(database, "release", fresh, starts=1, failed=True)
        case "a PDF is done":
            await call(database, "move_counters", fresh, {"pdfs_downloaded": 1})
        case _:
            await sql("UPDATE jobs SET status = 'cancelled'")

    assert tuple((await sql(WAITS))[0])[:2] == (None, None)


async def test_a_run_that_was_handed_back_does_not_end_the_wait(database, fresh, sql):
    await call(database, "claim_page", fresh)
    await call(database, "wait", fresh, WaitReason.ARXIV_UNAVAILABLE)

    await call(database, "release", fresh, starts=1, failed=False)

    assert (await sql(WAITS))[0].waiting_for == "arxiv_unavailable"


async def test_how_long_a_job_has_waited_for_arxiv_is_told_to_its_next_run(database, fresh, sql):
    await call(database, "claim_page", fresh)
    waited = []
    for reason in ("arxiv_unavailable", "arxiv_paused"):
        await sql(
            "UPDATE jobs SET waiting_for = :reason, waiting_since = now() - interval '2 hours'",
            reason=reason,
        )
        waited.append((await call(database, "claim_page", fresh)).waited)

    assert timedelta(hours=2) <= waited[0] < timedelta(hours=3)
    assert waited[1] == timedelta(0)


async def test_facts_of_later_steps_take_the_place_of_those_before(database, fresh):
    await call(database, "claim_page", fresh)
    for facts in ({"listed": 1, "bytes_read": 5}, {"bytes_read": 9}, {}):
        await call(database, "advance", fresh, HERE, counters={}, total=None, facts=facts)

    assert (await call(database, "get", fresh)).facts == {"listed": 1, "bytes_read": 9}
