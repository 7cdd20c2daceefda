"""Logging: one event a line, facts as fields, as JSON or for the console.

Log messages are constants; what a client sent is only ever a field's value, so
no line begins with it, and line breaks in it are escaped.

Logging never blocks the event loop: lines are rendered by the caller and written by a
thread, from a bounded queue. A pipe that nobody reads fills the queue; lines are then
dropped and counted, and the process goes on, and ends, as if they had been written.
"""

import atexit
import logging
import os
import queue
import sys
import threading
from dataclasses import dataclass, field
from time import monotonic

import structlog

STDERR = 2  # the descriptor: what `sys.stderr` is may be replaced, and buffers
MAX_QUEUED_LINES = 10_000
MAX_LINE_BYTES = 65_536
FLUSH_SECONDS = 1.0  # at the exit, for what is queued
REPORT_SECONDS = 60.0  # between two lines that say how many were dropped


@dataclass(slots=True)
class LineWriter:
    """Writes lines to a file descriptor from a thread; `dropped` counts those it could not take."""

    descriptor: int
    dropped: int = 0
    _lines: queue.Queue[bytes] = field(default_factory=lambda: queue.Queue(MAX_QUEUED_LINES))
    _thread: threading.Thread | None = None
    _reported: int = 0
    _reported_at: float = 0.0
    _is_broken: bool = False  # the pipe was closed by whoever read it

    def write(self, line: bytes) -> None:
        """Queue one line; never waits."""
        if self._is_broken:
            self.dropped += 1
            return
        try:
            self._lines.put_nowait(line[:MAX_LINE_BYTES])
        except queue.Full:
            self.dropped += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
            self._thread.start()

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until what is queued is written, for so long at most."""
        until = monotonic() + seconds
        with self._lines.all_tasks_done:
            while self._lines.unfinished_tasks and monotonic() < until and not self._is_broken:
                self._lines.all_tasks_done.wait(max(0.0, min(0.1, until - monotonic())))

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._write_whole(line + b"\n")
                self._report_dropped()
            except OSError:
                self._is_broken = True
                self.dropped += 1
            finally:
                self._lines.task_done()

    def _write_whole(self, data: bytes) -> None:
        while data and not self._is_broken:
            data = data[os.write(self.descriptor, data) :]

    def _report_dropped(self) -> None:
        if self.dropped > self._reported and monotonic() - self._reported_at > REPORT_SECONDS:
            lost, self._reported, self._reported_at = (
                self.dropped - self._reported,
                self.dropped,
                monotonic(),
            )
            _log.warning("log lines dropped", lines=lost)


class _QueueHandler(logging.Handler):
    """Renders a record, and hands the line to the writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self.writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.writer.write(self.format(record).encode("utf-8", "backslashreplace"))
        except Exception:  # a line that cannot be rendered must not end the process
            self.writer.dropped += 1


_log = structlog.get_logger(__name__)
_writer: LineWriter | None = None


def lines_dropped() -> int:
    """How many log lines this process could not write."""
    return 0 if _writer is None else _writer.dropped


def configure(level: str, form: str) -> None:
    """Send all logging, ours and the libraries', to standard error in one form.

    `level` as the logging module names it; `form` is `json` or `console`.
    """
    global _writer  # noqa: PLW0603 - one for the process, like standard error
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    last: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if form == "console":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            last,
        ],
    )
    if _writer is None:
        _writer = LineWriter(STDERR)
        atexit.register(_writer.flush)
    handler = _QueueHandler(_writer)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in ("pgqueuer", "alembic", "sqlalchemy", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
