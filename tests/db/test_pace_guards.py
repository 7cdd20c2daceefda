"""What keeps arXiv's rule where something goes wrong: no answer, cancelled twice, long waits."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from service.arxiv.pace import Channel
from service.arxiv.rate_limiter import FleetRateLimiter, Waits
from service.db.rate_limits import RateLimitStore
from tests.db.test_lock_order import until_waiting
from tests.db.test_pace import now, pace

HOUR = timedelta(hours=1)
ROW = "SELECT 1 FROM upstream_pace WHERE lane = 'api' FOR UPDATE"
DUE = "UPDATE upstream_pace SET next_at = clock_timestamp() - interval '1 s' WHERE lane = 'api'"


async def next_at(sql):
    return (await sql("SELECT next_at FROM upstream_pace WHERE lane = 'api'"))[0].next_at


async def test_after_a_request_without_an_answer_the_interval_begins_when_it_was_given_up(
    database, sql
):
    """It may have reached arXiv at any moment until then."""
    async with pace(database, interval=HOUR).api_slot() as slot:
        await slot.begin()
        await sql(DUE)  # as if the slot had been taken long ago
        given_up = await now(database)

    assert await next_at(sql) >= given_up + HOUR


async def test_after_an_answer_the_interval_begins_with_it(database, sql):
    async with pace(database, interval=HOUR).api_slot() as slot:
        await slot.begin()
        before = await now(database)
        slot.answered()
        await sql(DUE)

    # two clocks, and the way to the database between them
    assert before + HOUR - timedelta(seconds=1) <= await next_at(sql)
    assert await next_at(sql) <= await now(database) + HOUR


async def cancelled_twice(task: asyncio.Task, conn) -> None:
    """Cancel `task`, and once more while what it writes at its end waits for the row."""
    task.cancel()
    await until_waiting(conn, 1)
    task.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait({task})
    assert task.cancelled()


async def until_row(sql, condition: str) -> None:
    """Return when the row of the channel is so."""
    statement = f"SELECT {condition} FROM upstream_pace WHERE lane = 'api'"
    async with asyncio.timeout(60):
        while not (await sql(statement))[0][0]:
            await sql("SELECT pg_sleep(0.01)")


async def test_a_holder_that_is_cancelled_twice_gives_its_slot_back(database, other_database, sql):
    """Else the whole fleet would wait for its lease, at each stop of a worker."""
    holding = asyncio.Event()

    async def ask() -> None:
        async with pace(database, lease=HOUR).api_slot():
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(ask())
    await holding.wait()
    async with other_database.transaction() as conn:
        await conn.execute(text(ROW))
        await cancelled_twice(task, conn)

    await until_row(sql, "holder IS NULL")


async def test_one_who_waits_and_is_cancelled_twice_leaves_the_queue(database, other_database, sql):
    async with other_database.transaction() as conn:
        await RateLimitStore(conn).take(
            Channel.API,
            "00000000-0000-0000-0000-000000000001",
            rank=0,
            interval=HOUR,
            lease=HOUR,
            probe=HOUR,
        )
    task = asyncio.create_task(pace(database).api_slot(rank=9).__aenter__())
    await until_row(sql, "waiter_rank = 9")
    async with other_database.transaction() as conn:
        await conn.execute(text(ROW))
        await cancelled_twice(task, conn)

    await until_row(sql, "waiter IS NULL")


@pytest.mark.parametrize("channel", list(Channel))
async def test_a_cooldown_in_a_row_is_never_longer_than_the_longest(database, sql, channel):
    """However often arXiv has refused: 2 ** 20 times half a minute would be a year."""
    waits = Waits()
    fleet = FleetRateLimiter(
        database=database, api_interval=HOUR, pdf_interval=HOUR, lease=HOUR, waits=waits
    )
    await sql("UPDATE upstream_pace SET strikes = 1000 WHERE lane = :lane", lane=str(channel))

    await fleet.cooldown(channel, None)

    ((until,),) = await sql(
        "SELECT silent_until FROM upstream_pace WHERE lane = :lane", lane=str(channel)
    )
    assert until <= await now(database) + waits.longest_cooldown
