"""Blocking file operations in threads, never abandoned half-way.

A thread cannot be cancelled. If the caller were let go at once, it would close
a file that a thread still writes to; so a cancellation waits until the work in
hand, one system call or a few on a file, has ended, and is raised then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """The result of `work`, which runs to its end even when the caller is cancelled.

    CancelledError is raised after that end; what the work then returned or
    raised is dropped.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        await _ended(task)
        raise cancelled from None


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work(*args)` returns, run in a thread and, once begun, to its end."""
    return await to_its_end(asyncio.to_thread(work, *args, **kwargs))


async def _ended(task: asyncio.Future[T]) -> None:
    """Wait for `task`, however often the waiting itself is cancelled (the caller raises that)."""
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()  # marks it as seen, or the loop would log it as lost
