"""The pace of the fleet: one request at a time, the interval kept, whoever dies or waits."""

import asyncio
import itertools
from datetime import timedelta
from uuid import uuid4

import pytest

from service.arxiv.pace import Channel
from service.arxiv.rate_limiter import (
    API_MARGIN,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PDF_MARGIN,
    FleetRateLimiter,
)
from service.db.engine import Database
from service.db.rate_limits import RateLimitStore, Wait
from service.domain.errors import UpstreamFaulty

INTERVAL = timedelta(milliseconds=60)
LEASE = timedelta(seconds=15)


def pace(database: Database, *, interval=INTERVAL, lease=LEASE) -> FleetRateLimiter:
    return FleetRateLimiter(
        database=database, api_interval=interval, pdf_interval=interval, lease=lease
    )


async def now(database):
    """The database's clock, which decides."""
    async with database.engine.connect() as conn:
        return (await conn.exec_driver_sql("SELECT clock_timestamp()")).scalar_one()


async def take(database, holder, *, interval=INTERVAL, lease=LEASE):
    async with database.transaction() as conn:
        return await RateLimitStore(conn).take("api", holder, interval=interval, lease=lease)


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
    async with asyncio.timeout(20):
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

    async with asyncio.timeout(5), pace(database).api_slot():
        ended = await now(database)

    assert lease * 0.9 <= ended - began <= lease + timedelta(seconds=1.5)


async def test_a_turn_is_renewed_while_its_block_lasts(database, other_database):
    lease = timedelta(seconds=0.6)
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

    async with asyncio.timeout(3):
        with pytest.raises(UpstreamFaulty):
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
    async with asyncio.timeout(2), pace(other_database).api_slot():
        pass


async def test_an_error_in_the_block_is_its_callers(database):
    with pytest.raises(ZeroDivisionError):
        async with pace(database).api_slot():
            raise ZeroDivisionError

    async with asyncio.timeout(2), pace(database).api_slot():
        pass


async def test_silence_holds_for_the_whole_fleet(database, other_database):
    silence = timedelta(seconds=1)
    await pace(database).silence(Channel.API, silence)
    began = await now(database)

    async with asyncio.timeout(5), pace(other_database).api_slot():
        ended = await now(database)

    assert ended - began >= silence * 0.95


async def test_a_shorter_silence_does_not_end_a_longer_one(database):
    await pace(database).silence(Channel.API, timedelta(minutes=5))

    left = await pace(database).silence(Channel.API, timedelta(seconds=1))

    assert left > timedelta(minutes=4)


async def test_silences_of_our_own_grow_and_are_forgotten_after_a_good_answer(database, sql):
    fleet, lengths = pace(database), []
    for _ in range(3):
        lengths.append((await fleet.silence(Channel.API, None)).total_seconds())
        await sql("UPDATE upstream_pace SET silent_until = NULL")
    await fleet.cleared(Channel.API)

    after = (await fleet.silence(Channel.API, None)).total_seconds()

    assert lengths == pytest.approx([10, 20, 40], rel=0.05)
    assert after == pytest.approx(10, rel=0.05)


async def test_silences_of_our_own_are_bounded(database, sql):
    await sql("UPDATE upstream_pace SET strikes = 1000")

    left = await pace(database).silence(Channel.API, None)

    assert timedelta(minutes=9.9) <= left <= timedelta(minutes=10)


async def test_lanes_are_independent(database):
    await pace(database).silence(Channel.API, timedelta(minutes=5))

    async with asyncio.timeout(2):
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

    async with database.transaction() as conn:
        assert (
            await RateLimitStore(conn).take("api", uuid4(), interval=INTERVAL, lease=LEASE) is None
        )


async def test_a_turn_that_was_lost_while_the_process_slept_does_not_begin(database, sql):
    async with pace(database).api_slot() as turn:
        await sql("UPDATE upstream_pace SET holder = gen_random_uuid() WHERE lane = 'api'")

        with pytest.raises(UpstreamFaulty, match="turn"):
            await turn.begin()


async def failures(fleet, *askers):
    return [await fleet.failed(Channel.API, asker) for asker in askers]


async def test_one_that_fails_again_and_again_is_no_outage(database):
    assert await failures(pace(database), "a", "a", "b", "a", "b") == [None] * 5


async def test_three_that_fail_in_a_row_silence_the_lane_for_all(database, other_database):
    delays = await failures(pace(database), "a", "b") + await failures(pace(other_database), "c")

    async with database.transaction() as conn:
        left = await RateLimitStore(conn).cooldown_left(Channel.API)
    assert delays[:2] == [None, None]
    assert timedelta(seconds=2) < left <= delays[2] <= FIRST_PAUSE


async def test_the_pauses_of_an_outage_grow_and_are_bounded(database, sql):
    await failures(pace(database), "a", "b")
    pauses = []
    for _ in range(8):
        pauses += await failures(pace(database), "c")
        await sql("UPDATE upstream_pace SET silent_until = NULL")

    assert pauses[:5] == sorted(pauses[:5])
    assert pauses[1] > pauses[0] * 1.9
    assert LONGEST_PAUSE * 0.9 < pauses[-1] <= LONGEST_PAUSE


async def test_those_that_were_under_way_do_not_lengthen_the_pause(database):
    delays = await failures(pace(database), "a", "b", "c", "d", "e", "f")

    assert max(delays[2:]) <= FIRST_PAUSE


async def test_an_answer_ends_an_outage(database):
    fleet = pace(database)
    await failures(fleet, "a", "b", "c")
    await fleet.cleared(Channel.API)

    assert await failures(fleet, "d", "e") == [None, None]


async def test_after_an_hour_an_outage_is_nobody_elses_fault_any_more(database, sql):
    await failures(pace(database), "a", "b", "c")
    await sql("UPDATE upstream_pace SET failing_since = now() - interval '61 minutes'")

    assert await failures(pace(database), "a") == [None]
