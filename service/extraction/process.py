"""Child process of the extraction pool: start, request, stop.

The other side is `child.py`, which is started by its path and never imported
here. Nothing that a child sends is trusted further than its declared lengths,
and these are bounded; whatever goes wrong, the child is killed and reaped, and
the caller learns from the way it died whether a limit or an accident ended it.
"""

import asyncio
import json
import os
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

from service.domain.errors import BadPdf, TransientError
from service.files.blocking import in_thread, to_its_end

PROGRAM = Path(__file__).with_name("sandbox.py")
START_DEADLINE = timedelta(seconds=20)  # usually 0.1 s, but the machine may be busy
END_DEADLINE = timedelta(seconds=2)  # from SIGKILL until the process is reaped
MAX_HEAD_BYTES = 32 << 20  # a document of 16 MiB, and offsets and furniture of 2,000 pages
BYTES_PER_CHARACTER = 4  # the most that UTF-8 needs

PROTOCOL = 5  # what `child.py` must speak, too

_REQUEST = struct.Struct(">BII")
_ANSWER = struct.Struct(">II")
_PIPE_BYTES = 1 << 20
_LONG = 1 << 16  # bytes of JSON that hold the loop for less than a millisecond

# How a process dies of its limits: PDFium calls abort() when it gets no memory
# (its failed checks and wild pointers end in SIGTRAP, SIGILL, SIGSEGV), the
# kernel sends SIGXCPU when the processor time is used up.
_LIMIT_SIGNALS = (signal.SIGABRT, signal.SIGXCPU)


class ExtractorUnavailable(TransientError):
    """No child process can be had now: the machine is short of something, or we shut down."""

    code = "extractor_unavailable"


class ChildDied(BadPdf):
    """The child died over this file, of no limit of ours: may be chance, may be the file.

    Whoever calls counts these, and quarantines the file at the third.
    """

    code = "crashed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said: `head` as `child.py` makes it, `text` in UTF-8."""

    head: Mapping[str, Any]
    text: bytes


class Wanted(IntEnum):
    """What a child may be asked, by the numbers that it knows."""

    CHECK = 0
    TEXT = 1
    HTML = 2


@dataclass(frozen=True, slots=True)
class Question:
    """What is wanted of the file at `path` (absolute); `about` is JSON for a page of HTML."""

    wanted: Wanted
    path: Path
    about: bytes = b""


class Child:
    """A child process that is up. One question at a time."""

    def __init__(self, process: Process, max_text_bytes: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self._max_text_bytes = max_text_bytes
        self._is_busy = False
        self.asked = 0
        self.has_network = True

    @classmethod
    async def start(cls, limits: Mapping[str, Any]) -> Self:
        """A child that has taken on its limits; raises ExtractorUnavailable when none comes up."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(PROGRAM), str(os.getpid()), json.dumps(limits)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
                limit=_PIPE_BYTES,
            )
        except OSError as err:
            raise ExtractorUnavailable("A process to read PDFs cannot be started") from err
        child = cls(process, limits["max_characters"] * BYTES_PER_CHARACTER)
        try:
            await child._come_up()
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_fit(self) -> bool:
        """True when it lives and owes no answer."""
        is_alive = self._process.returncode is None and not self._answers.at_eof()
        return is_alive and not self._is_busy

    async def ask(self, question: Question, within: timedelta) -> Answer:
        """The child's answer to `question`.

        Raises BadPdf (`resource_limit`) when it takes longer than `within` or
        dies of its limits, ChildDied when it dies otherwise. After any
        exception the child is not fit, and the caller has to end it.
        """
        self._is_busy = True
        self.asked += 1
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer = await self._exchange(question)
        except TimeoutError as err:
            raise BadPdf("The PDF takes too long to read", code="resource_limit") from err
        except (EOFError, OSError, ValueError) as err:  # died, closed its pipe, talks nonsense
            raise await self._cause_of_death() from err
        self._is_busy = False
        return answer

    async def end(self) -> None:
        """Kill the process, and return when it is reaped (or 2 s later, in a stuck kernel)."""
        self.kill()
        self._requests.close()
        await to_its_end(self._reaped())

    def kill(self) -> None:
        """Send SIGKILL, unless it is dead."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _come_up(self) -> None:
        try:
            async with asyncio.timeout(START_DEADLINE.total_seconds()):
                ready = await self._receive()
        except (TimeoutError, EOFError, OSError, ValueError) as err:
            raise ExtractorUnavailable("A process to read PDFs did not come up") from err
        if ready.head.get("protocol") != PROTOCOL:
            # The files were replaced under a running service. Talking past each
            # other would look like a time limit, and condemn every PDF.
            raise ExtractorUnavailable("The process to read PDFs is of another version")
        self.has_network = bool(ready.head.get("has_network"))

    async def _exchange(self, question: Question) -> Answer:
        path, about = os.fsencode(question.path), question.about
        head = _REQUEST.pack(question.wanted, len(path), len(about))
        self._requests.write(head + path + about)
        await self._requests.drain()
        return await self._receive()

    async def _receive(self) -> Answer:
        """The next answer; ValueError when it is none or too long, EOFError at the end."""
        lengths = await self._answers.readexactly(_ANSWER.size)
        head_bytes, text_bytes = _ANSWER.unpack(lengths)
        if head_bytes > MAX_HEAD_BYTES or text_bytes > self._max_text_bytes:
            raise ValueError("answer too long")
        packed = await self._answers.readexactly(head_bytes)
        head = await in_thread(json.loads, packed) if head_bytes > _LONG else json.loads(packed)
        if not isinstance(head, dict):
            raise ValueError("no answer")  # noqa: TRY004 - of the peer, not of our types
        return Answer(head, await self._answers.readexactly(text_bytes))

    async def _cause_of_death(self) -> BadPdf:
        with suppress(TimeoutError):
            async with asyncio.timeout(END_DEADLINE.total_seconds()):
                await self._process.wait()
        if -(self._process.returncode or 0) in _LIMIT_SIGNALS:
            return BadPdf("The PDF needs too much memory or time", code="resource_limit")
        return ChildDied("The process that read the PDF died")

    async def _reaped(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(END_DEADLINE.total_seconds()):
                while await self._answers.read(_PIPE_BYTES):  # its end shows only behind the rest
                    pass
                await self._process.wait()
