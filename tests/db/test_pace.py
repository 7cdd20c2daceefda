"""The pace of the fleet: one request at a time, the interval kept, whoever dies or waits."""

import asyncio
import itertools
from datetime import timedelta
from uuid import uuid4

import pytest

from service.arxiv import rate_limiter
from service.arxiv.limits import Waits
from service.arxiv.pace import Channel
from service.arxiv.rate_limiter import API_MARGIN, PDF_MARGIN, SPREAD, FleetRateLimiter
from service.db.engine import Database
from service.db.fleet import FleetStore
from service.db.rate_limits import RateLimitStore, Wait
from service.domain.channels import Availability, WaitReason
from service.domain.errors import ChannelClosed, SlotMissed

INTERVAL = timedelta(milliseconds=60)
LEASE = timedelta(seconds=15)
PROBE = Waits().probe


def pace(database: Database, *, interval=INTERVAL, lease=LEASE) -> FleetRateLimiter:
    return FleetRateLimiter(
        database=database, api_interval=interval, pdf_interval=interval, lease=lease
    )


async def now(database):
    """The database's clock, which decides."""
    async with database.engine.connect() as conn:
        return (await conn.exec_driver_sql("SELECT clock_timestamp()")).scalar_one()


async def take(database, holder, *, interval=INTERVAL, lease=LEASE, rank=0):
    async with database.transaction() as conn:
        return await RateLimitStore(conn).take(
            Channel.API, holder, rank=rank, interval=interval, lease=lease, probe=PROBE
        )


async def channel(database, name=Channel.API):
    async with database.transaction() as conn:
        (found,) = (one for one in await RateLimitStore(conn).channels() if one.channel is name)
    return found


def gaps(moments):
    ordered = sorted(moments)
    return [after - before for before, after in itertools.pairwise(ordered)]


async def test_api_turns_of_two_replicas_keep_the_interval_and_never_overlap(
    database, other_database
):
    starts, busy, most = [], 0, 0

    async def ask(fleet, pool):
        nonlocal busy, most
        async with fleet.api_slot():
            busy += 1
            most = max(most, busy)
            starts.append(await now(pool))
            busy -= 1

    replicas = [(pace(pool), pool) for pool in (database, other_database)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(ask(*replicas[n % 2]) for n in range(12)))

    assert most == 1
    assert len(starts) == 12
    assert min(gaps(starts)) >= INTERVAL


async def test_a_turn_is_held_until_its_answer_was_read(database, other_database):
    first, second = uuid4(), uuid4()

    taken = await take(database, first, interval=timedelta(0))
    refused = await take(other_database, second, interval=timedelta(0))
    async with database.transaction() as conn:
        await RateLimitStore(conn).give_back("api", first)
    after = await take(other_database, second, interval=timedelta(0))

    assert taken is None
    assert isinstance(refused, Wait)
    assert after is None


async def test_only_the_holder_gives_back(database):
    holder = uuid4()
    await take(database, holder)

    async with database.transaction() as conn:
        await RateLimitStore(conn).give_back("api", uuid4())

    async with database.transaction() as conn:
        assert await RateLimitStore(conn).renew("api", holder, lease=LEASE)


async def test_a_holder_that_died_blocks_one_lease_only(database):
    lease = timedelta(seconds=1)
    await take(database, uuid4(), lease=lease)
    began = await now(database)

    async with asyncio.timeout(60), pace(database).api_slot():
        ended = await now(database)

    assert lease * 0.5 <= ended - began <= LEASE  # not for the lease of the others


async def test_a_turn_is_renewed_while_its_block_lasts(database, other_database):
    lease = timedelta(seconds=2)  # a busy machine renews late
    async with pace(database, lease=lease).api_slot():
        began = await now(database)
        while await now(database) - began < 2.5 * lease:
            assert isinstance(await take(other_database, uuid4(), lease=lease), Wait)
            await asyncio.sleep(0.05)


async def test_a_turn_that_was_lost_cancels_its_block(database, sql):
    async def ask() -> None:
        async with pace(database, lease=timedelta(seconds=0.6)).api_slot():
            await sql("UPDATE upstream_pace SET holder = gen_random_uuid() WHERE lane = 'api'")
            await asyncio.Event().wait()

    async with asyncio.timeout(60):
        with pytest.raises(SlotMissed):
            await ask()


async def test_a_cancelled_block_gives_its_turn_back(database, other_database):
    holding = asyncio.Event()

    async def ask() -> None:
        async with pace(database).api_slot():
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(ask())
    await holding.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    async with asyncio.timeout(60), pace(other_database).api_slot():
        pass


async def test_an_error_in_the_block_is_its_callers(database):
    with pytest.raises(ZeroDivisionError):
        async with pace(database).api_slot():
            raise ZeroDivisionError

    async with asyncio.timeout(60), pace(database).api_slot():
        pass


async def test_a_cooldown_holds_for_the_whole_fleet(database, other_database):
    await pace(database).cooldown(Channel.API, timedelta(seconds=30))

    with pytest.raises(ChannelClosed) as caught:
        async with pace(other_database).api_slot():
            pass

    assert caught.value.reason is WaitReason.ARXIV_COOLDOWN
    # until its end, and the interval of those who wait for it
    assert timedelta(seconds=10) < caught.value.delay <= timedelta(seconds=31)


async def test_a_shorter_cooldown_does_not_end_a_longer_one(database):
    await pace(database).cooldown(Channel.API, timedelta(minutes=5))

    closed = await pace(database).cooldown(Channel.API, timedelta(seconds=1))

    assert closed.delay > timedelta(minutes=4)


async def lengths(fleet, sql, times, **kind):
    """Seconds of as many cooldowns in a row, each of which has passed before the next."""
    found = []
    for _ in range(times):
        await fleet.cooldown(Channel.API, None, **kind)
        ((length,),) = await sql(
            "SELECT silent_until - cooldown_since FROM upstream_pace WHERE lane = 'api'"
        )
        found.append(length.total_seconds())
        await sql(
            "UPDATE upstream_pace SET silent_until = now(), cooldown_since = NULL,"
            " waiting_from = NULL"
        )
    return found


async def test_cooldowns_of_our_own_double_from_30_s_to_10_min_until_arxiv_answers(database, sql):
    fleet = pace(database)

    grown = await lengths(fleet, sql, 7)
    await fleet.answered(Channel.API)

    assert grown == pytest.approx([30, 60, 120, 240, 480, 600, 600], abs=2)
    assert await lengths(fleet, sql, 1) == pytest.approx([30], abs=2)


async def test_blocks_double_from_an_hour_to_six(database, sql):
    fleet = pace(database)
    await lengths(fleet, sql, 2)

    grown = await lengths(fleet, sql, 5, is_block=True)

    assert grown == pytest.approx([3600, 7200, 14400, 21600, 21600], abs=2)


async def test_refusals_of_requests_under_way_are_one_cooldown(database):
    fleet = pace(database)

    closed = [await fleet.cooldown(Channel.PDF, None) for _ in range(8)]

    assert max(one.delay for one in closed) < timedelta(seconds=31)


async def test_an_answer_to_a_request_from_before_does_not_end_a_cooldown(database):
    fleet = pace(database)
    await fleet.cooldown(Channel.PDF, None)

    await fleet.answered(Channel.PDF)

    assert (await channel(database, Channel.PDF)).state is Availability.COOLDOWN


async def test_refusals_are_counted_by_channel_and_status(database):
    fleet = pace(database)
    for name, status in ((Channel.API, 429), (Channel.API, 429), (Channel.PDF, 403)):
        await fleet.cooldown(name, None, status=status)
    await fleet.cooldown(Channel.API, None)

    async with database.transaction() as conn:
        found = await FleetStore(conn).list_requests()

    refused = {one.channel: dict(one.by_status) for one in found if one.by_status}
    assert refused == {"api": {"429": 2}, "pdf": {"403": 1}}


async def test_channels_are_independent(database):
    await pace(database).cooldown(Channel.API, timedelta(minutes=5))

    async with asyncio.timeout(10):
        await pace(database).pdf_slot()


def test_margins_keep_a_slow_packet_from_shrinking_the_gap():
    assert timedelta(milliseconds=50) <= API_MARGIN
    assert 4 * timedelta(seconds=1 / 4) * PDF_MARGIN >= timedelta(seconds=1.1)


async def test_the_interval_counts_from_the_answer_however_late_the_request_left(database):
    fleet = pace(database, interval=timedelta(seconds=0.4))
    async with fleet.api_slot() as turn:
        await asyncio.sleep(0.3)  # a busy machine
        await turn.begin()
        turn.answered()
        answered = await now(database)

    async with asyncio.timeout(5), fleet.api_slot():
        following = await now(database)

    assert following - answered >= timedelta(seconds=0.39)


async def test_a_turn_in_which_nothing_was_asked_does_not_delay_the_next(database):
    fleet = pace(database, interval=timedelta(0))
    async with fleet.api_slot():
        pass

    assert await take(database, uuid4()) is None


async def test_a_turn_that_was_lost_while_the_process_slept_does_not_begin(database, sql):
    async with pace(database).api_slot() as turn:
        await sql("UPDATE upstream_pace SET holder = gen_random_uuid() WHERE lane = 'api'")

        with pytest.raises(SlotMissed, match="slot"):
            await turn.begin()


async def test_the_slot_goes_to_the_highest_rank_of_those_who_wait(database, other_database):
    low, high = uuid4(), uuid4()
    await take(database, uuid4(), interval=timedelta(0))
    await take(database, low, rank=1)
    await take(other_database, high, rank=2)
    async with database.transaction() as conn:
        await conn.exec_driver_sql("UPDATE upstream_pace SET holder = NULL, held_until = NULL")

    passed = await take(database, low, rank=1)
    taken = await take(other_database, high, rank=2, interval=timedelta(0))

    assert isinstance(passed, Wait)
    assert taken is None


async def test_one_who_waits_no_longer_is_no_obstacle(database, sql):
    await take(database, uuid4(), interval=timedelta(0))
    await take(database, uuid4(), rank=9)
    await sql("UPDATE upstream_pace SET holder = NULL, held_until = NULL, waiter_until = now()")

    assert await take(database, uuid4(), rank=1) is None


async def test_a_slot_that_does_not_come_in_a_while_is_waited_for_in_the_queue(
    database, monkeypatch
):
    monkeypatch.setattr(rate_limiter, "LONGEST_WAIT", timedelta(seconds=0.3))
    await take(database, uuid4())

    with pytest.raises(SlotMissed):
        async with pace(database).api_slot():
            pass


async def fail(fleet, times):
    """What follows from as many requests without an answer."""
    return [await fleet.failed(Channel.API, "refused") for _ in range(times)]


def seconds(closed):
    return [one.delay.total_seconds() for one in closed]


def near(*expected):
    """Waits of so many seconds, or up to a tenth longer."""
    return [pytest.approx(one * (1 + SPREAD / 2), rel=SPREAD / 2 + 0.02) for one in expected]


async def test_an_outage_is_visible_from_the_first_request_without_an_answer(database):
    await fail(pace(database), 1)

    state = await channel(database)

    assert (state.state, state.reason) == (Availability.UNAVAILABLE, "refused")
    assert await now(database) - state.since < timedelta(seconds=5)


async def test_an_unanswered_request_is_repeated_after_3_6_12_s_and_then_every_15(database, sql):
    waits = []
    for _ in range(5):
        waits += seconds(await fail(pace(database), 1))
        await sql("UPDATE upstream_pace SET retry_at = now(), waiting_from = NULL")

    assert waits == near(3, 6, 12, 15, 15)


async def test_others_wait_once_three_in_a_row_have_failed(database, other_database):
    await fail(pace(database), 2)
    async with pace(other_database).api_slot():
        pass
    await fail(pace(database), 1)

    with pytest.raises(ChannelClosed) as caught:
        async with pace(other_database).api_slot():
            pass

    assert caught.value.reason is WaitReason.ARXIV_UNAVAILABLE
    assert timedelta(seconds=10) < caught.value.delay < timedelta(seconds=14)


async def test_one_request_of_the_fleet_finds_out_whether_the_outage_is_over(
    database, other_database, sql
):
    await fail(pace(database), 3)
    await sql("UPDATE upstream_pace SET retry_at = now()")

    async with pace(database, interval=timedelta(0)).api_slot() as slot:
        await slot.begin()
    with pytest.raises(ChannelClosed) as caught:
        async with pace(other_database, interval=timedelta(0)).api_slot():
            pass

    assert timedelta(seconds=14) < caught.value.delay < timedelta(seconds=18)


async def test_one_pdf_of_the_fleet_finds_out_whether_the_outage_is_over(
    database, other_database, sql
):
    for _ in range(3):
        await pace(database).failed(Channel.PDF, "refused")
    await sql("UPDATE upstream_pace SET retry_at = now()")

    await pace(database).pdf_slot()
    with pytest.raises(ChannelClosed):
        await pace(other_database).pdf_slot()


async def test_a_plain_request_finds_out_in_an_outage(database):
    await fail(pace(database), 3)

    async with asyncio.timeout(10), pace(database).api_slot(is_plain=True) as slot:
        await slot.begin()


async def test_those_who_wait_come_back_one_after_the_other(database):
    """So that a thousand of them are no more trouble than the requests they are to make."""
    fleet = pace(database, interval=timedelta(seconds=3))
    await fail(fleet, 3)

    waits = []
    for _ in range(4):
        with pytest.raises(ChannelClosed) as caught:
            async with fleet.api_slot():
                pass
        waits.append(caught.value.delay.total_seconds())

    assert [after - before for before, after in itertools.pairwise(waits)] == pytest.approx(
        [3, 3, 3], abs=1
    )


async def test_an_answer_ends_an_outage(database):
    fleet = pace(database)
    await fail(fleet, 5)

    await fleet.answered(Channel.API)

    assert (await channel(database)).state is Availability.AVAILABLE
    assert seconds(await fail(fleet, 1)) == near(3)


async def test_an_answer_is_remembered_for_half_a_minute(database, sql):
    fleet = pace(database)
    found = [await fleet.answered_lately(Channel.API)]
    await fleet.answered(Channel.API)
    found.append(await fleet.answered_lately(Channel.API))
    await fail(fleet, 1)
    found.append(await fleet.answered_lately(Channel.API))
    await fleet.answered(Channel.API)
    await sql("UPDATE upstream_pace SET answered_at = answered_at - interval '31 seconds'")
    found.append(await fleet.answered_lately(Channel.API))

    assert found == [False, True, False, False]


async def test_a_pause_stops_all_requests_and_says_since_when(database, sql):
    ((since,),) = await sql("SELECT pause_arxiv()")
    again = await sql("SELECT pause_arxiv()")

    for slot in (pace(database).api_slot().__aenter__(), pace(database).pdf_slot()):
        with pytest.raises(ChannelClosed) as caught:
            await slot
        assert caught.value.reason is WaitReason.ARXIV_PAUSED
    state = await channel(database)
    assert again == [(since,)]
    assert (state.state, state.since) == (Availability.PAUSED, since)


async def test_a_slot_that_came_before_a_pause_does_not_begin_after_it(database, sql):
    async with pace(database).api_slot() as slot:
        await sql("SELECT pause_arxiv()")

        with pytest.raises(ChannelClosed):
            await slot.begin()


async def test_after_a_pause_requests_go_out_again(database, sql):
    ((since,),) = await sql("SELECT pause_arxiv()")

    resumed = [(await sql("SELECT resume_arxiv()"))[0][0] for _ in range(2)]

    assert resumed == [since, None]
    async with asyncio.timeout(10), pace(database).api_slot() as slot:
        await slot.begin()


async def test_a_resume_wakes_the_tasks_that_waited_for_it(database, sql):
    jobs = await sql(
        "INSERT INTO jobs (status, waiting_for, waiting_since) VALUES"
        " ('running', 'arxiv_paused', now()), ('running', 'arxiv_cooldown', now()) RETURNING id"
    )
    for number, (job,) in enumerate(jobs):
        await sql(
            "INSERT INTO pgqueuer (priority, status, entrypoint, headers, execute_after)"
            " VALUES (:n, 'queued', 'harvest', json_build_object('job', cast(:job AS text)),"
            " now() + '1 hour')",
            n=number,
            job=str(job),
        )

    await sql("SELECT resume_arxiv()")

    due = await sql("SELECT execute_after <= now() FROM pgqueuer ORDER BY priority")
    assert [bool(one) for (one,) in due] == [True, False]


async def test_html_has_a_slot_and_an_interval_of_its_own(database, other_database):
    """Its slots of two replicas do not overlap; those of the query API go on beside them."""

    def fleet(pool):
        return FleetRateLimiter(
            database=pool,
            api_interval=timedelta(0),
            pdf_interval=timedelta(0),
            html_interval=INTERVAL,
            lease=LEASE,
        )

    starts = []
    async with fleet(database).html_slot() as slot, fleet(database).api_slot():
        await slot.begin()
        starts.append(await now(database))
        slot.answered()
    async with asyncio.timeout(60), fleet(other_database).html_slot():
        starts.append(await now(database))

    assert gaps(starts)[0] >= INTERVAL
    assert (await channel(database, Channel.HTML)).next_slot_at > starts[1]
