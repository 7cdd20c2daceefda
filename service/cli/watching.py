"""Progress display of a job: bars on a terminal, else lines, or nothing."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

from arxiv_ingestion_client import IngestionClient, JobReport
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from service.cli.output import console, duration, out_of, safe

LINE_INTERVAL = timedelta(seconds=1)
LONGEST_WATCH = timedelta(days=1)

Clock = Callable[[], float]


class Display(Protocol):
    """Shows each report it is given."""

    def show(self, job: JobReport) -> None:
        """Show how far the job is now."""


async def watch(
    client: IngestionClient,
    job_id: str,
    *,
    display: AbstractContextManager[Display],
    timeout: timedelta = LONGEST_WATCH,
) -> JobReport:
    """The job once it is finished, shown on the way; raises TimeoutError after `timeout`."""
    with display as shown:
        return await client.wait(
            job_id,
            timeout=timeout,
            on_progress=shown.show,
        )


def display_for(*, quiet: bool, to: Console | None = None) -> AbstractContextManager[Display]:
    """Bars if the console is a terminal, else lines; nothing with `quiet`."""
    if quiet:
        return nullcontext(NoDisplay())
    to = to or console()
    return Bars(to) if to.is_terminal and not to.is_dumb_terminal else nullcontext(Lines(to))


class NoDisplay:
    """Shows nothing."""

    def show(self, job: JobReport) -> None:
        """Nothing."""


class Lines:
    """One line for each change, at most one in `interval`; the last change always."""

    def __init__(
        self, to: Console, *, interval: timedelta = LINE_INTERVAL, clock: Clock = time.monotonic
    ) -> None:
        self._to = to
        self._interval = interval.total_seconds()
        self._clock = clock
        self._shown_at = -math.inf
        self._shown = ""

    def show(self, job: JobReport) -> None:
        """Print a line, unless the last one is too fresh or says the same."""
        line, now = describe(job), self._clock()
        is_due = job.is_final or now - self._shown_at >= self._interval
        if not is_due or line == self._shown:
            return
        self._to.print(Text(line), soft_wrap=True)
        self._shown, self._shown_at = line, now


def describe(job: JobReport) -> str:
    """How far the job is, in one line."""
    parts = [
        f"pages {out_of(job.count('pages_fetched'), pages_total(job))}",
        f"papers {out_of(job.count('papers_fetched'), job.find('papers_total'))}",
        f"PDFs {out_of(job.count('pdfs_downloaded'), pdfs_total(job))}",
        f"text {out_of(job.count('pdfs_processed'), pdfs_total(job))}",
    ]
    if pages := html_total(job):
        parts.append(f"HTML {out_of(pages - job.count('html_pending'), pages)}")
    return f"{safe(job.status)}: {', '.join([*parts, *_remarks(job)])}"


def _remarks(job: JobReport) -> list[str]:
    """Failures, rate and ETA, as far as there is something to say."""
    found = []
    if job.count("pdfs_failed"):
        found.append(f"{job.count('pdfs_failed')} PDFs failed")
    if job.count("pdfs_unavailable"):
        found.append(f"{job.count('pdfs_unavailable')} not at arXiv")
    if job.count("errors_total"):
        found.append(f"{job.count('errors_total')} errors")
    if rate := _papers_per_second(job):
        found.append(f"{rate:.1f} papers/s")
    if left := duration(job.stats.get("eta_seconds")):
        found.append(f"ETA {left}")
    return found


def _papers_per_second(job: JobReport) -> float | None:
    """Papers that nothing more is to be done for, per second; None before there is one."""
    elapsed = job.stats.get("elapsed_seconds")
    finished = job.count("papers_fetched") - job.count("pdfs_pending")
    if not isinstance(elapsed, int | float) or elapsed <= 0 or finished <= 0:
        return None
    return finished / elapsed


def pages_total(job: JobReport) -> int | None:
    """How many pages the job will ask for; None while it is not known."""
    if job.is_final:
        return job.count("pages_fetched")
    request = job.stats.get("request")
    query = request.get("search_query") if isinstance(request, dict) else None
    size = query.get("max_results") if isinstance(query, dict) else None
    total = job.find("papers_total")
    if not isinstance(size, int) or size < 1 or total is None:
        return None
    return max(math.ceil(total / size), job.count("pages_fetched"))


def pdfs_total(job: JobReport) -> int:
    """How many PDFs the job wants, as far as it has harvested."""
    names = ("pdfs_pending", "pdfs_processed", "pdfs_failed", "pdfs_unavailable")
    return sum(job.count(name) for name in names)


def html_total(job: JobReport) -> int:
    """How many pages of HTML the job wants, as far as it has harvested; 0 if none are wanted.

    (Of papers whose page was held already it wants none; those count as done.)
    """
    request = job.stats.get("request")
    wants_html = isinstance(request, dict) and request.get("process_html") is True
    return job.count("papers_fetched") if wants_html else 0


class Bars:
    """Bars that move: pages, papers, PDFs, text, HTML if wanted; above them status and ETA."""

    def __init__(self, to: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<6}"),
            BarColumn(bar_width=40),
            TextColumn("{task.fields[done]}"),
            console=to,
        )
        self._bars: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=None, done="0")
            for name in ("pages", "papers", "PDFs", "text")
        }
        self._head = Text("waiting for the first answer")
        self._live = Live(
            console=to, get_renderable=lambda: Group(self._head, self._progress), transient=False
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, job: JobReport) -> None:
        """Move the bars."""
        self._head = Text(
            ", ".join([f"job {safe(job.job_id)}: {safe(job.status)}", *_remarks(job)])
        )
        wanted = pdfs_total(job)
        lost = job.count("pdfs_failed") + job.count("pdfs_unavailable")
        self._move("pages", job.count("pages_fetched"), pages_total(job))
        self._move("papers", job.count("papers_fetched"), job.find("papers_total"))
        self._move("PDFs", job.count("pdfs_downloaded"), max(wanted - lost, 0))
        self._move("text", job.count("pdfs_processed"), max(wanted - lost, 0))
        if pages := html_total(job):
            if "HTML" not in self._bars:
                self._bars["HTML"] = self._progress.add_task("HTML", total=None, done="0")
            self._move("HTML", pages - job.count("html_pending"), pages)
        if job.is_final:
            self._live.refresh()

    def _move(self, name: str, done: int, total: int | None) -> None:
        shown = out_of(done, total)
        self._progress.update(self._bars[name], completed=done, total=total, done=shown)
