"""Service processes without the second that each needs to import what others wrote.

A fork server, as `multiprocessing` has one: a process that has imported the libraries, and
nothing of the service, forks for each command that it is asked for. All that is the service's
is imported in the child, so that nothing which a module makes at import is shared by two.
The tests of the command line and of the wheel start Python itself.
"""

import asyncio
import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import BinaryIO

# Without prometheus_client, which reads its environment when it is imported.
LIBRARIES = """
    aiofiles aiohttp aiohttp_jwt aiohttp_sse alembic.command alembic.config asyncpg
    click croniter cryptography.x509 jwt lxml.etree marshmallow orjson pgqueuer pypdfium2
    sqlalchemy.dialects.postgresql.asyncpg sqlalchemy.ext.asyncio structlog tenacity uvloop
"""
MOST_BYTES = 1 << 16  # of a request


class Forked:
    """A process that the server forked, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, ends: socket.socket) -> None:
        self._ends = ends  # says the pid, and in the end the exit code
        self._code: int | None = None
        self.pid = int(ends.recv(16))

    @property
    def returncode(self) -> int | None:
        """The exit code, below zero for a signal; None while the process runs."""
        if self._code is None and select.select([self._ends], [], [], 0)[0]:
            self._code = int(self._ends.recv(16))
            self._ends.close()
        return self._code

    async def wait(self) -> int:
        """The exit code, once the process has ended."""
        if self.returncode is None:
            loop, ended, number = asyncio.get_running_loop(), asyncio.Event(), self._ends.fileno()
            loop.add_reader(number, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(number)
        code = self.returncode
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked(arguments: Sequence[str], environ: Mapping[str, str], output: BinaryIO) -> Forked:
    """`python -m service` with `arguments`, in a session of its own; all it says to `output`."""
    ours, its = _packets()
    with its:
        asked = json.dumps([list(arguments), dict(environ)]).encode()
        socket.send_fds(_server(), [asked], [output.fileno(), its.fileno()])
    return Forked(ours)


def _packets() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@cache
def _server() -> socket.socket:
    """The connection to the server of this process, which ends when we do."""
    ours, its = _packets()
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # before that: the last is called first
    return ours


def serve(requests: socket.socket) -> list[str] | None:
    """Fork for each request; returns the arguments in the child, None once nobody can ask."""
    running: dict[int, socket.socket] = {}
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([requests, wake], [], [])
        if wake in ready:
            wake.recv(4096)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with running.pop(pid) as ends, suppress(BrokenPipeError):  # nobody waits
                        ends.send(str(os.waitstatus_to_exitcode(status)).encode())
        if requests not in ready:
            continue
        asked, files, _, _ = socket.recv_fds(requests, MOST_BYTES, 2)
        if not asked:
            return None
        arguments, environ = json.loads(asked)
        output, ends = files[0], socket.socket(fileno=files[1])
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (requests, wake, woken, ends, *running.values()):
                one.close()
            _become(environ, output)
            return arguments
        os.close(output)
        running[pid] = ends
        ends.send(str(pid).encode())


def _become(environ: Mapping[str, str], output: int) -> None:
    """Take on what Python would have begun with."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()


def main() -> None:
    gc.disable()
    for name in LIBRARIES.split():
        import_module(name)
    gc.freeze()
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    gc.enable()
    if arguments is not None:
        sys.argv[1:] = arguments
        runpy.run_module("service", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
