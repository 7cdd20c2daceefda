"""OAI-PMH's errors, all of which arXiv sends with HTTP 200, and the frame of all its answers.

Protocol: openarchives.org/OAI/openarchivesprotocol.html, sections 3.2 and 3.6.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

# What the request element then does not repeat (protocol, 3.2): it was not understood.
_WITHOUT_ATTRIBUTES = ("badVerb", "badArgument")


class OaiError(Exception):
    """A request that gets an error for an answer: `code` is the protocol's, `str()` the text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def document(
    base: str, inside: str, asked: Mapping[str, str], now: datetime | None = None
) -> bytes:
    """An answer of the server at `base`, around `inside`; `asked` are the arguments it repeats."""
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in asked.items())
    moment = now or datetime.now(UTC)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ \
http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">
<responseDate>{moment:%Y-%m-%dT%H:%M:%SZ}</responseDate>
<request{attributes}>{escape(base)}/oai</request>
{inside}
</OAI-PMH>
""".encode()


def error_document(
    base: str, error: OaiError, asked: Mapping[str, str], now: datetime | None = None
) -> bytes:
    """The answer that tells `error`."""
    shown = {} if error.code in _WITHOUT_ATTRIBUTES else asked
    text = f"<error code={quoteattr(error.code)}>{escape(str(error))}</error>"
    return document(base, text, shown, now)
