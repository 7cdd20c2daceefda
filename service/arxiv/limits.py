"""Limits of one exchange with arXiv: timeouts, sizes and waits."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Bounds of the client. The defaults suit arXiv; tests make them short.

    `api_total` and `pdf_total` bound a whole exchange, from connecting to the
    last byte: a server that sends one byte a second never trips `sock_read`.
    """

    api_total: timedelta = timedelta(seconds=60)
    pdf_total: timedelta = timedelta(seconds=300)
    connect: timedelta = timedelta(seconds=10)
    sock_read: timedelta = timedelta(seconds=30)
    api_bytes: int = 16 * 1024 * 1024  # of an API answer, as sent and once decompressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long a channel is closed: the first time, doubled each time in a row, and at most.

    `outage` is the wait after a request without an answer (3, 6, 12 s), `probe`
    the one between two that find out whether the outage is over.
    """

    outage: timedelta = timedelta(seconds=3)
    probe: timedelta = timedelta(seconds=15)
    cooldown: timedelta = timedelta(seconds=30)
    longest_cooldown: timedelta = timedelta(minutes=10)
    block: timedelta = timedelta(hours=1)
    longest_block: timedelta = timedelta(hours=6)
