"""Registry of sources by name; also reads legacy checkpoints."""

from collections.abc import Iterable, Mapping
from typing import Any

from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest
from service.sources import legacy
from service.sources.base import Source
from service.sources.retry import RETRY, RetrySource, legacy_checkpoint


class Sources:
    """`sources`, and that of retries, which goes on with any of them."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._by_name: dict[str, Source] = {source.name: source for source in sources}
        self._by_name[RETRY] = RetrySource(self)

    def of(self, checkpoint: Checkpoint) -> Source:
        """The source that goes on from `checkpoint`; raises ValueError where there is none."""
        try:
            return self._by_name[checkpoint.source]
        except KeyError:
            raise ValueError("the stored checkpoint is of an unknown source") from None

    def first(self, request: IngestionRequest) -> Checkpoint:
        """Where a new job with this request begins; raises ValueError if no source serves it."""
        for source in self._by_name.values():
            if source.serves(request):
                return source.first(request)
        raise ValueError("the stored request is for an unknown source")

    def checkpoint(
        self, document: Mapping[str, Any] | None, request: IngestionRequest
    ) -> Checkpoint:
        """Where a job stands by its stored document; raises ValueError for an unreadable one."""
        if document is None:
            return self.first(request)
        if not legacy.is_legacy(document):
            return Checkpoint.load(document)
        if part := legacy.retry_part(document):
            return legacy_checkpoint(document, part)
        return legacy.upgraded(document, self.first(request))
