"""Measurements: what happens to work, as figures; whoever keeps them is a subclass.

Called where the thing happens, so each call is cheap, never waits and never fails.
Durations are in seconds.
"""

from service.domain.channels import Channel
from service.domain.jobs import JobStatus, Stage


class Measurements:
    """Keeps nothing: for tests, and for parts that nobody measures."""

    def request_answered(self, channel: Channel, status: int | None, seconds: float) -> None:
        """ArXiv has begun to answer a request, or (None) did not answer it."""

    def slot_taken(self, channel: Channel, seconds: float) -> None:
        """A request may start now; it has waited for that so long."""

    def task_ended(self, kind: str, outcome: str) -> None:
        """One run of a task has ended: `succeeded`, `retried`, `failed` or `cancelled`."""

    def page_stored(self, seconds: float) -> None:
        """A step of a harvest was fetched and stored."""

    def pdf_processed(self, seconds: float) -> None:
        """A PDF was brought from pending to processed in one run."""

    def text_extracted(self, seconds: float) -> None:
        """The text of a PDF was extracted."""

    def job_error(self, stage: Stage, code: str | None) -> None:
        """An error was added to a job."""

    def job_ended(self, status: JobStatus, seconds: float | None) -> None:
        """A job is finished, so long after it was started (None: not known)."""


UNMEASURED = Measurements()
