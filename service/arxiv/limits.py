"""Limits of one exchange with arXiv: timeouts and sizes."""

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
