"""Runs a command that ends when its parent does, even by SIGKILL.

    python -S tied.py PARENT_PID PROGRAM ARGUMENT…

A file of its own because the wish must be made inside the new process, before
the program proper replaces this one. Linux only; elsewhere the program just runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; survives execve (prctl(2))


def main(parent: int, command: list[str]) -> None:
    """Become `command`, with SIGTERM to come when the process `parent` dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the wish was made
    os.execv(command[0], command)  # noqa: S606 - our own command, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
