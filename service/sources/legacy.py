"""Legacy checkpoints: the flat document from before there were sources.

Jobs that run while the service is upgraded hold them, and so do failed ones that
are retried later.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.domain.checkpoint import Checkpoint

_OF_RETRIES = {"is_taking_over", "taken_over", "total_shift"}
_KNOWN = {"offset", "batches_done", "taken", "empty_pages", "done"} | _OF_RETRIES


class LegacyRetry(NamedTuple):
    """What a flat document says of the retry that it belongs to; `after`: see `retry`."""

    after: str | None
    had: int


def is_legacy(document: Mapping[str, Any]) -> bool:
    """True for a document of the old form; raises ValueError for what is no form at all."""
    if isinstance(document, Mapping) and "source" in document:
        return False
    if isinstance(document, Mapping) and "offset" in document and document.keys() <= _KNOWN:
        return True
    raise ValueError("the stored checkpoint cannot be read")


def list_part(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what it says of a retry."""
    return {name: value for name, value in document.items() if name not in _OF_RETRIES}


def retry_part(document: Mapping[str, Any]) -> LegacyRetry | None:
    """What the document says of a retry; None where the job is none."""
    had = -int(document.get("total_shift", 0))
    if document.get("is_taking_over"):
        return LegacyRetry(str(document.get("taken_over", "")), had)
    return LegacyRetry(None, had) if had else None


def upgraded(document: Mapping[str, Any], first: Checkpoint) -> Checkpoint:
    """The same place in the list in today's form; `first` is where the job would begin.

    What the old form did not count (`unread`) is unknown from here on.
    """
    known = {"offset": document["offset"], "taken": document.get("taken", 0), "unread": None}
    state = {name: known.get(name, value) for name, value in first.state.items()}
    return Checkpoint(
        source=first.source,
        format=first.format,
        state=state,
        done=bool(document.get("done")),
        batches_done=int(document.get("batches_done", 0)),
        repeats=int(document.get("empty_pages", 0)),
    )
