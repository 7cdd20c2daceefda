"""arXiv's OAI-PMH interface as the rest of the service sees it: one method for each request.

Requests go the way of the query API's, on the same channel, for arXiv counts them
together. Every error of the protocol comes with HTTP 200 and is found in the answer.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from service.arxiv import oai
from service.arxiv.api_channel import ApiChannel
from service.arxiv.oai_query import get_record
from service.arxiv.pace import Requester
from service.arxiv.query import api_request
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.papers import EntryError, Paper

_T = TypeVar("_T")

_PASSING = frozenset({408, 425})  # 4xx by number, but it was the moment, not the question


@dataclass(frozen=True, slots=True)
class OaiClient:
    """Asks `url` through `channel`. Each method raises what `ApiChannel.ask` raises, too."""

    channel: ApiChannel
    url: str

    async def records(self, params: Mapping[str, str], requester: Requester) -> oai.RecordPage:
        """The page of records that these parameters ask for; raises what `oai.records` raises."""
        return await self._asked(params, requester, oai.records)

    async def identifiers(self, params: Mapping[str, str], requester: Requester) -> oai.HeaderPage:
        """The page of headers that these parameters ask for."""
        return await self._asked(params, requester, oai.identifiers)

    async def record(
        self, paper: str, prefix: str, requester: Requester
    ) -> Paper | oai.Header | EntryError | None:
        """One paper's record in the format `prefix`; see `oai.record`."""
        return await self._asked(get_record(paper, prefix), requester, oai.record)

    async def _asked(
        self, params: Mapping[str, str], requester: Requester, read: Callable[[bytes], _T]
    ) -> _T:
        """What `read` makes of the answer, in a thread: a page takes some 200 ms."""
        answer = await self.channel.ask(api_request(self.url, params), requester)
        if answer.status == 200:
            return await asyncio.to_thread(read, answer.body)
        message = f"arXiv answered with HTTP {answer.status}"
        if 400 <= answer.status < 500 and answer.status not in _PASSING:
            raise UpstreamRejected(message, code="upstream_rejected")
        raise UpstreamFaulty(message)
