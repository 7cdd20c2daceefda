"""Longest wait for arXiv: after a day of outages, cooldowns or blocks a job fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from service.domain.channels import BOUNDED_WAITS
from service.domain.errors import ChannelClosed, ForbiddenPdf, UpstreamUnavailable

LONGEST_WAIT = timedelta(hours=24)


@contextmanager
def patience(waited: timedelta) -> Iterator[None]:
    """Let a closed channel be raised as it is, unless the job has `waited` too long for it.

    Raises UpstreamUnavailable then, with the code `forbidden` for a block (403).
    """
    try:
        yield
    except ChannelClosed as err:
        if waited < LONGEST_WAIT or err.reason not in BOUNDED_WAITS:
            raise
        if err.is_block:
            message = "arXiv has refused all requests (403) for a day"
            raise UpstreamUnavailable(message, code=ForbiddenPdf.code) from err
        raise UpstreamUnavailable("arXiv has been unavailable for a day") from err
