"""What a soak is asked to do: sizes, disturbances and their rates, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SLOWEST_API_SECONDS = 3.0  # arXiv's own pace; short runs are given a quicker one
SUBMITTING = 0.7  # the part of the run over which the jobs are submitted
BUSY = 0.35  # the part of the run that arXiv's API would be asked in if nothing disturbed it
PDFS_AHEAD = 4.0  # PDFs may start so many times faster than pages bring them

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Options of one run. Ranges are seconds between two disturbances of a kind."""

    seed: int = 1
    minutes: float = 30.0
    kills: int | None = None  # stop disturbing after so many; None: when the minutes are over
    jobs: int = 200
    papers: int = 50  # of each job
    page_size: int = 25
    bombs: int = 4  # hostile PDFs among all papers
    replicas: int = 3
    lease: float = 3.0
    kill_every: Range = (5.0, 40.0)
    stop_every: Range = (20.0, 60.0)
    restart_every: Range = (20.0, 60.0)
    terminate_every: Range = (15.0, 45.0)
    fault_every: Range = (2.0, 6.0)
    outage_every: Range = (90.0, 180.0)
    gold: Path | None = None
    keep: Path | None = None

    @property
    def total_papers(self) -> int:
        """Papers of all jobs."""
        return self.jobs * self.papers

    @property
    def api_interval(self) -> float:
        """Seconds between two starts at the API: arXiv's, or quick enough for a short run."""
        pages = self.jobs * -(-self.papers // self.page_size)
        return round(min(SLOWEST_API_SECONDS, BUSY * self.minutes * 60 / pages), 3)

    @property
    def pdfs_per_second(self) -> float:
        """PDF starts a second: enough that tasks do not pile up behind them.

        Who waits for arXiv waits whether or not a replica died; takeovers could not be told
        from that.
        """
        return round(PDFS_AHEAD * self.total_papers / (BUSY * self.minutes * 60), 3)

    @property
    def outage_seconds(self) -> Range:
        """How long an outage lasts: longer than a lease."""
        return (1.5 * self.lease, 3 * self.lease)

    @property
    def submit_every(self) -> float:
        """Seconds between two jobs."""
        return SUBMITTING * self.minutes * 60 / self.jobs

    @property
    def api_fault_every(self) -> Range:
        """Rarer than PDF faults: five in a row for one page would rightly fail its job."""
        return (8 * self.api_interval, 16 * self.api_interval)


def seconds_range(text: str) -> Range:
    """`0.5-3` → (0.5, 3.0); one number stands for both."""
    parts: Sequence[str] = text.split("-")
    low, high = float(parts[0]), float(parts[-1])
    if not (len(parts) <= 2 and 0 < low <= high):
        raise ValueError("a range is LOW-HIGH in seconds")
    return low, high
