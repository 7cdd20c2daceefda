import asyncio
import threading

import pytest

from service.files.blocking import in_thread


async def test_a_cancelled_caller_stays_until_the_thread_is_done():
    began, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        began.set()
        ended.append(may_end.wait(10))

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 10)
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
    still_there = not task.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert still_there
    assert ended == [True]


async def test_what_a_cancelled_work_raises_is_not_reported_as_lost(caplog):
    began, may_end = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait(10)
        raise OSError("too late to matter")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.records == []


async def test_the_result_and_the_error_of_the_work_are_the_callers():
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)
