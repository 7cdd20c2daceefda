"""PID-1 duties in a container: forwards signals, reaps orphans.

The kernel hands it every orphan, and it must take their deaths in; and a signal
without a handler does nothing to it. So it stays a mere keeper, and the service
runs in its child.
"""

import os
import signal
import sys
from types import FrameType

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def run_as_child_of_pid_one() -> None:
    """Go on in a child if this is the first process; the first one ends with the child's code."""
    if os.getpid() != 1:
        return
    child = os.fork()
    if child == 0:
        return

    def forward(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    while True:
        dead, status = os.wait()
        if dead == child:
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)
