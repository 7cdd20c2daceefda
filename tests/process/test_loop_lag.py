"""The lag of the event loop is measured, kept for a minute, and told when it is bad."""

import asyncio
import time

import structlog

from service.process.loop_lag import KEPT, STUCK_BEATS, LoopLag


async def test_a_loop_that_is_held_up_is_late_and_the_log_says_so():
    lag = LoopLag()
    watching = asyncio.create_task(lag.watch())
    with structlog.testing.capture_logs() as logs:
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - what is measured
        async with asyncio.timeout(30):
            while not logs:  # noqa: ASYNC110 - the log tells nobody
                await asyncio.sleep(0.05)
    watching.cancel()

    assert lag.worst >= 0.35
    assert logs[0]["event"] == "event loop late"
    assert logs[0]["seconds"] >= 0.35


def test_the_figures_are_those_of_the_last_minute():
    lag = LoopLag()
    for number in range(2 * KEPT):
        lag.note(number / 1000)

    assert (lag.latest, lag.worst) == (1.199, 1.199)
    assert 1.19 <= lag.p99 < 1.199


def test_one_long_pause_is_not_too_much_work():
    lag = LoopLag()
    for _ in range(STUCK_BEATS):
        lag.note(0.0)
    lag.note(30.0)

    assert not lag.is_stuck


def test_late_again_and_again_is_too_much_work_until_a_beat_is_in_time():
    lag = LoopLag()
    for _ in range(STUCK_BEATS):
        lag.note(1.5)
    was_stuck = lag.is_stuck
    lag.note(0.01)

    assert was_stuck
    assert not lag.is_stuck
