"""Pool of sandboxed processes that make texts of PDFs, and documents of PDFs and HTML.

A pool of child processes, each with one PDF at a time: a bomb or a crash ends
one child, its caller learns what happened, and the next PDF gets a fresh one.
The limits are in `ExtractLimits`, what a child can and cannot reach in
`child.py`. The event loop only waits: the text is decoded and cleaned in slices
in a thread.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from service.domain.errors import BadPdf, StorageUnavailable
from service.domain.papers import ExtractedText, HtmlVerdict
from service.extraction.answer import extracted_text
from service.extraction.html_question import HtmlQuestion, html_verdict
from service.extraction.process import (
    END_DEADLINE,
    Answer,
    Child,
    ChildDied,
    ExtractorUnavailable,
    Question,
    Wanted,
)
from service.files.blocking import in_thread

__all__ = ["ChildDied", "ExtractLimits", "Extractor", "ExtractorUnavailable"]

PDFS_PER_CHILD = 500  # then a fresh process, so that no leak of a library adds up


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractLimits:
    """How much one PDF may cost.

    Over `memory_bytes` (of address space), `cpu` or `wall` the child dies and
    the file is bad. Over `max_pages`, `max_characters` or `reading` (looked at
    after each page) the text so far is the result, flagged as truncated. Over `structuring`
    (processor time) the text has no document.
    """

    memory_bytes: int = 1 << 30
    cpu: timedelta = timedelta(seconds=20)
    wall: timedelta = timedelta(seconds=30)
    reading: timedelta = timedelta(seconds=15)
    structuring: timedelta = timedelta(seconds=4)
    max_pages: int = 2_000
    max_characters: int = 5_000_000

    def for_child(self) -> dict[str, Any]:
        """The limits as `child.py` reads them: JSON, seconds as numbers."""
        plain = asdict(self)
        for name in ("cpu", "wall", "reading", "structuring"):
            plain[f"{name}_seconds"] = plain.pop(name).total_seconds()
        return plain


class Extractor:
    """A pool of `processes` children that turn PDFs into text.

    Use it from one event loop, whose thread must outlive it (the children die
    with the thread that started them). After `close` it cannot be used again.
    """

    def __init__(
        self, processes: int, limits: ExtractLimits, *, pdfs_per_child: int = PDFS_PER_CHILD
    ) -> None:
        self._processes = processes
        self._limits = limits
        self._pdfs_per_child = pdfs_per_child
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._is_closed = False

    @property
    def pids(self) -> frozenset[int]:
        """The process ids of the children that are up now, for tests and operators."""
        return frozenset(child.pid for child in self._children)

    async def start(self) -> None:
        """Bring all children up; raises ExtractorUnavailable when one cannot be had.

        Without it they are started when they are first needed.
        """
        missing = self._processes - len(self._children)
        results = await asyncio.gather(
            *(self._start_idle() for _ in range(missing)), return_exceptions=True
        )
        for failure in filter(None, results):
            raise failure

    async def text_of(self, path: Path) -> ExtractedText:
        """The text of the PDF at `path` (absolute); waits for a free child first.

        Raises BadPdf with code `encrypted` (needs a password), `corrupt` or
        `resource_limit`; its subclass ChildDied (`crashed`) when the child died
        of no limit; StorageUnavailable when the file cannot be opened; ExtractorUnavailable
        when no child can be had. Cancelling kills the child at work.
        """
        return await _judged(await self._asked(Question(Wanted.TEXT, path)))

    async def check(self, path: Path) -> None:
        """Return if the file at `path` opens as a PDF with pages; raises as `text_of` does."""
        await _judged(await self._asked(Question(Wanted.CHECK, path)))

    async def judge_html(self, path: Path, question: HtmlQuestion) -> HtmlVerdict:
        """The document of the HTML page at `path` (absolute), or why it is refused.

        Raises as `text_of` does, but neither `encrypted` nor `corrupt` for what is in the page.
        """
        about = await in_thread(question.dump)
        answer = await self._asked(Question(Wanted.HTML, path, about))
        if answer.head.get("state") != "html":
            await _judged(answer)
        return await in_thread(html_verdict, answer.head)

    async def prepare(self) -> None:
        """Return when a child is up and idle, so that the next question need not wait for one.

        Raises ExtractorUnavailable when none can be had.
        """
        async with self._free:
            await self._give_back(await self._take())

    async def close(self) -> None:
        """Kill all children and wait for their end, usually at once, at most some seconds.

        Callers still at work, or waiting, get ExtractorUnavailable.
        """
        self._is_closed = True
        idle, self._idle = self._idle, []
        for child in self._children:
            child.kill()
        await asyncio.gather(*(self._end(child) for child in idle))
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * END_DEADLINE.total_seconds()):
                await self._all_free()

    async def _asked(self, question: Question) -> Answer:
        if not question.path.is_absolute():  # the children live in "/"
            raise ValueError("the path must be absolute")
        async with self._free:
            child = await self._take()
            try:
                return await child.ask(question, self._limits.wall)
            except ChildDied:
                self._require_open()  # or we killed it ourselves
                raise
            finally:
                await self._give_back(child)

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_fit:
                return child
            await self._end(child)
        return await self._new_child()

    async def _give_back(self, child: Child) -> None:
        is_worn_out = child.asked >= self._pdfs_per_child
        if child.is_fit and not is_worn_out and not self._is_closed:
            self._idle.append(child)
        else:
            await self._end(child)

    async def _start_idle(self) -> None:
        self._idle.append(await self._new_child())

    async def _new_child(self) -> Child:
        self._require_open()
        child = await Child.start(self._limits.for_child())
        self._children.add(child)
        if self._is_closed:  # while it was starting
            await self._end(child)
            self._require_open()
        return child

    async def _end(self, child: Child) -> None:
        """End it for good; it counts as ours until it is reaped."""
        try:
            await child.end()
        finally:
            self._children.discard(child)

    async def _all_free(self) -> None:
        """Return when no caller has a child, by having had every place once."""
        async with AsyncExitStack() as places:
            for _ in range(self._processes):
                await places.enter_async_context(self._free)

    def _require_open(self) -> None:
        if self._is_closed:
            raise ExtractorUnavailable("The extraction was stopped")


async def _judged(answer: Answer) -> ExtractedText:
    """The extracted text, or the error that the child's answer stands for."""
    match answer.head.get("state"):
        case "text":
            return await in_thread(extracted_text, answer.head, answer.text)
        case "encrypted":
            raise BadPdf("The PDF needs a password", code="encrypted")
        case "resource_limit":
            raise BadPdf("The PDF needs too much memory", code="resource_limit")
        case "missing":
            raise StorageUnavailable("The PDF file cannot be opened")
        case _:
            raise BadPdf("The PDF cannot be read", code="corrupt")
