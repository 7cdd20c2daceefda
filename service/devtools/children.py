"""Commands of ours as child processes: started, watched, stopped; they never outlive us."""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from service.process import parent_death

FIRST_LINE_WITHIN = timedelta(seconds=20)
SHOWN_LOG_LINES = 15

_Result = TypeVar("_Result")


class ChildFailed(Exception):
    """A child ended, or did not do its part in time; `log` is where it says why."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log

    def last_lines(self) -> list[str]:
        """The end of the log."""
        try:
            with self.log.open(errors="replace") as file:
                return [line.rstrip("\n") for line in deque(file, maxlen=SHOWN_LOG_LINES)]
        except OSError:
            return []


@dataclass(frozen=True, slots=True)
class Child:
    """A running command of ours."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    async def first_line(self) -> Any:  # noqa: ANN401 - any JSON
        """The JSON that it prints first; raises ChildFailed."""
        if self.process.stdout is None:
            raise RuntimeError("its output is not ours to read")
        try:
            async with asyncio.timeout(FIRST_LINE_WITHIN.total_seconds()):
                return json.loads(await self.process.stdout.readline())
        except (ValueError, TimeoutError):
            raise ChildFailed(f"`{self.name}` did not start", self.log) from None

    async def beside(self, work: Awaitable[_Result]) -> _Result:
        """What `work` returns; ChildFailed as soon as the child ends before that."""
        task = asyncio.ensure_future(work)
        ended = asyncio.create_task(self.process.wait())
        try:
            await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                code = self.process.returncode
                raise ChildFailed(f"`{self.name}` ended with exit code {code}", self.log)
            return task.result()
        finally:
            for one in (task, ended):
                one.cancel()
            await asyncio.wait({task, ended})

    async def stop(self, within: timedelta) -> None:
        """SIGTERM, and SIGKILL if it still is there after `within`."""
        try:
            with suppress(ProcessLookupError):
                self.process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()


@asynccontextmanager
async def running(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Path,
    stop_within: timedelta,
    tells: bool = False,
) -> AsyncIterator[Child]:
    """`python -m service ARGUMENTS…` until the end of the block, its log in the file `log`.

    With `tells` its standard output is kept apart for `first_line`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", parent_death.__file__, str(os.getpid())),
            *(sys.executable, "-m", "service", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if tells else file,
            stderr=file,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C is for us; we tell the children in order
        )
    child = Child(arguments[0], log, process)
    try:
        yield child
    finally:
        await child.stop(stop_within)
