"""A limit on the processor time of a block, which ends it with an exception and not the process.

For the main thread of a process of one's own: it takes SIGPROF and its timer.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(Exception):
    """The block took more processor time than it may."""


@contextmanager
def cpu_alarm(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the block once it has used `seconds` (> 0) of processor time.

    Python code and regular expressions are stopped where they are; what a C library does
    ends first. The limits of the process hold beside it.
    """
    is_armed = True

    def ring(_: int, __: FrameType | None) -> None:
        if is_armed:  # else the block ended while the signal was on its way
            raise OutOfTime

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
