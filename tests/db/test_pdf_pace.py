"""The pace of PDFs: booked starts, an interval apart over the fleet."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from service.arxiv import rate_limiter
from service.arxiv.pace import Channel
from service.arxiv.rate_limiter import FleetRateLimiter
from service.db.rate_limits import RateLimitStore
from service.domain.errors import ChannelClosed, SlotMissed
from tests.db.test_pace import INTERVAL, PROBE, gaps, now, pace


async def pdf_starts(database, other_database, number: int):
    starts = []

    async def ask(pool) -> None:
        await pace(pool).pdf_slot()
        starts.append(await now(pool))

    async with asyncio.timeout(60):
        await asyncio.gather(*(ask((database, other_database)[n % 2]) for n in range(number)))
    return starts


async def book(conn, interval):
    precision = rate_limiter.PRECISION
    return await RateLimitStore(conn).book(
        Channel.PDF, interval=interval, probe=PROBE, precision=precision
    )


async def test_bookings_of_pdfs_are_spaced_over_the_fleet(database, other_database):
    async def booked_at(pool):
        async with pool.transaction() as conn:
            await book(conn, INTERVAL)
            own = "SELECT next_at FROM upstream_pace WHERE lane = 'pdf'"  # locked until we commit
            return (await conn.exec_driver_sql(own)).scalar_one()

    booked = await asyncio.gather(
        *(booked_at((database, other_database)[n % 2]) for n in range(20))
    )

    assert min(gaps(booked)) >= INTERVAL


async def test_a_booking_says_how_long_it_is_until_then(database):
    async with database.transaction() as conn:
        delays = [await book(conn, timedelta(hours=1)) for _ in range(3)]

    assert [round(wait.delay / timedelta(hours=1), 2) for wait in delays] == [0, 1, 2]


async def test_pdf_requests_keep_their_rate(database, other_database):
    starts = await pdf_starts(database, other_database, 12)

    assert max(starts) - min(starts) >= 11 * INTERVAL * 0.95


async def test_those_who_had_booked_before_a_cooldown_do_not_start_in_it(database):
    async with asyncio.timeout(60):
        waiting = [asyncio.create_task(pace(database).pdf_slot()) for _ in range(12)]
        await booked_until_later(database)
        await pace(database).cooldown(Channel.PDF, timedelta(seconds=30))
        ended = await asyncio.gather(*waiting, return_exceptions=True)

    closed = [error for error in ended if isinstance(error, ChannelClosed)]
    assert len(closed) >= 5
    assert all(error.delay > timedelta(seconds=20) for error in closed)


async def booked_until_later(database) -> None:
    """Return when all twelve requests have booked."""
    async with asyncio.timeout(60):
        while True:
            async with database.engine.connect() as conn:
                statement = (
                    "SELECT next_at > clock_timestamp() + interval '0.4 seconds'"
                    " FROM upstream_pace WHERE lane = 'pdf'"
                )
                if (await conn.exec_driver_sql(statement)).scalar_one():
                    return
            await asyncio.sleep(0.005)


def stall(monkeypatch, times: int) -> None:
    """Let so many bookings be heard of too late."""
    left, booked = times, FleetRateLimiter._booked

    async def slow(fleet, **options):
        nonlocal left
        due = await booked(fleet, **options)
        if left > 0:
            left -= 1
            await asyncio.sleep(1.5 * rate_limiter.PDF_LATEST.total_seconds())
        return due

    monkeypatch.setattr(FleetRateLimiter, "_booked", slow)


async def bookings(sql) -> int:
    ((turns,),) = await sql("SELECT turns FROM upstream_pace WHERE lane = 'pdf'")
    return turns


async def test_who_comes_too_late_for_its_booking_books_anew(database, sql, monkeypatch):
    stall(monkeypatch, times=3)
    before = await bookings(sql)

    await pace(database).pdf_slot()

    assert await bookings(sql) - before >= 4


async def test_who_is_always_too_late_does_not_start(database, sql, monkeypatch):
    stall(monkeypatch, times=1000)
    before = await bookings(sql)

    with pytest.raises(SlotMissed, match="too busy"):
        await pace(database).pdf_slot()

    assert await bookings(sql) - before == rate_limiter.MOST_BOOKINGS


async def test_those_who_find_the_channel_closed_come_back_one_after_the_other(database):
    await pace(database, interval=timedelta(seconds=2)).cooldown(Channel.PDF, timedelta(seconds=30))
    waits = []
    for _ in range(3):
        with pytest.raises(ChannelClosed) as caught:
            await pace(database, interval=timedelta(seconds=2)).pdf_slot()
        waits.append(caught.value.delay.total_seconds())

    assert [later - sooner for sooner, later in pairwise(waits)] == pytest.approx([2, 2], abs=1)


ANSWERED = "SELECT failures, answered_at FROM upstream_pace WHERE lane = 'pdf'"


async def test_an_answer_that_tells_nothing_new_is_not_written(database, sql):
    fleet = pace(database)
    await fleet.pdf_slot()
    await fleet.answered(Channel.PDF)
    first = await sql(ANSWERED)
    await fleet.pdf_slot()
    await sql("UPDATE upstream_pace SET answered_at = answered_at - interval '6 seconds'")
    await fleet.answered(Channel.PDF)
    unwritten = await sql(ANSWERED)
    await fleet.pdf_slot()
    await fleet.answered(Channel.PDF)

    assert unwritten[0].answered_at == first[0].answered_at - timedelta(seconds=6)
    assert (await sql(ANSWERED))[0].answered_at > first[0].answered_at


@pytest.mark.parametrize("whose", ["here", "elsewhere"])
async def test_an_answer_behind_a_failure_is_noted(database, other_database, sql, whose):
    """A failure counts with those before it only where no answer came between them."""
    fleet = pace(database)
    await fleet.pdf_slot()
    await fleet.answered(Channel.PDF)
    await fleet.pdf_slot()
    await (fleet if whose == "here" else pace(other_database)).failed(Channel.PDF, "reset")
    if whose == "elsewhere":
        await fleet.pdf_slot()  # the booking tells it

    await fleet.answered(Channel.PDF)

    assert (await sql(ANSWERED))[0].failures == 0


@pytest.mark.parametrize("closed", ["paused", "cooling"])
async def test_a_plain_request_does_not_start_in_a_pause_or_cooldown(database, closed):
    """It finds out whether an outage or a refusal is over, and stands above nothing else."""
    fleet = pace(database)
    if closed == "paused":
        async with database.transaction() as conn:
            await RateLimitStore(conn).pause()
    else:
        await fleet.cooldown(Channel.PDF, timedelta(seconds=30))

    with pytest.raises(ChannelClosed):
        await fleet.pdf_slot(is_plain=True)
