"""Exceptions that the client raises.

ClientError
├── ProblemError          the service answered, with a problem (RFC 9457)
├── ServiceUnreachable    there was no answer, or none that the service would give
│   └── BrokenOff         the answer began, and did not come to its end
├── DamagedFile           a download is not what the service said it is
└── WebhookRefused        a message is not signed as it should be

A wait, a stream or a download that lasts too long raises TimeoutError.
"""

from collections.abc import Mapping
from typing import Any

NOT_OURS = "the answer is not one of the ingestion service"


class ClientError(Exception):
    """Root of what this client raises, besides TimeoutError."""


class ServiceUnreachable(ClientError):
    """There was no answer, or none that this service would give."""


class BrokenOff(ServiceUnreachable):
    """An answer that is read as it comes did not come to its end."""


class DamagedFile(ClientError):
    """What was downloaded has another SHA-256 than its ETag, or is too large."""


class WebhookRefused(ClientError):
    """A message is not signed with the secret that was given, or is too old."""


class ProblemError(ClientError):
    """The service answered with a problem (RFC 9457).

    `errors` maps dotted field names to what is wrong with them (422 only);
    `retry_after` is what the service asked for, in seconds; `attempts` is how
    often it was asked before this error was raised.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors: dict[str, list[str]] = {
            name: [str(one) for one in texts] if isinstance(texts, list) else [str(texts)]
            for name, texts in (errors or {}).items()
        }
        self.retry_after = retry_after
        self.attempts = 1

    @property
    def is_transient(self) -> bool:
        """True when the same request may be answered in a moment."""
        if self.status in (429, 500):
            return self.retry_after is not None
        return self.status in (502, 503, 504)
