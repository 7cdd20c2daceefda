"""Downloads on the PDF channel: under the fleet's rate limit, whole or in parts."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientResponse
from yarl import URL

from service.arxiv.answers import Judge
from service.arxiv.http import Exchange, within
from service.arxiv.limits import ClientLimits
from service.arxiv.pace import Channel, RateLimiter
from service.arxiv.pdf_response import PdfStream, ends_at, range_headers
from service.arxiv.redirects import MAX_HOPS, next_hop, too_many_hops
from service.domain.errors import (
    ForbiddenPdf,
    Unavailable,
    UpstreamFaulty,
    UpstreamRejected,
    UpstreamUnreachable,
)
from service.domain.identifiers import ArxivId

_PLAIN = (ArxivId("0704.0001", 1), ArxivId("0704.0002", 1))  # the first of the ids of today


@dataclass(slots=True)
class PdfChannel:
    """PDFs below `url`."""

    exchange: Exchange
    pace: RateLimiter
    url: str
    limits: ClientLimits

    def open(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[PdfStream]:
        """The PDF of `arxiv_id` (with its version, else ValueError), from `offset` on if possible.

        Resumes only with the strong `etag` of the earlier answer; look at
        `PdfStream.offset` for what came. Raises Unavailable (no such PDF),
        ChannelClosed, SlotMissed, ForbiddenPdf, UpstreamRejected, RedirectRefused, and
        UpstreamFaulty, also while the stream is read; nothing is tried twice.
        """
        if arxiv_id.version is None:
            raise ValueError("a PDF belongs to one version of a paper")
        return self._open(arxiv_id, offset, etag)

    @asynccontextmanager
    async def _open(
        self, arxiv_id: ArxivId, offset: int, etag: str | None
    ) -> AsyncIterator[PdfStream]:
        judge = Judge(Channel.PDF, self.pace, _Plain(self, arxiv_id).status)
        url, headers = URL(f"{self.url}/{arxiv_id}"), range_headers(offset, etag)
        for _ in range(MAX_HOPS + 1):
            await self.pace.pdf_slot()
            deadline = within(self.limits.pdf_total)
            try:
                response = await self.exchange.start(url, headers, deadline=deadline)
            except UpstreamUnreachable as err:
                raise await judge.no_answer(err) from err
            try:
                target = next_hop(url, response.status, response.headers.get("Location"))
                if target is None:
                    await _check(judge, response, offset)
                    body = self.exchange.body(response, deadline)
                    yield PdfStream.of(response, body, asked=offset, etag=etag)
                    return
            finally:
                response.close()
            url = target
        raise too_many_hops()


@dataclass(frozen=True, slots=True)
class _Plain:
    """The plain request of the channel: another paper's PDF, of which only the status is read."""

    channel: PdfChannel
    asked: ArxivId
    others: tuple[ArxivId, ...] = field(default=_PLAIN)

    async def status(self) -> int:
        other = next(one for one in self.others if one.paper != self.asked.paper)
        channel = self.channel
        await channel.pace.pdf_slot(is_plain=True)
        deadline = within(channel.limits.api_total)
        url = URL(f"{channel.url}/{other}")
        response = await channel.exchange.start(url, range_headers(0, None), deadline=deadline)
        response.close()
        return response.status


async def _check(judge: Judge, response: ClientResponse, offset: int) -> None:
    """Raise what an answer means for a PDF that brings none of it from `offset` on."""
    status = response.status
    await judge.check(status, response.headers)
    if status in (200, 206) or ends_at(response, offset):
        return
    if status in (404, 410):
        raise Unavailable("arXiv has no PDF of this version").of_response(status)
    if status == 403:
        await judge.check_forbidden()
        raise ForbiddenPdf("arXiv does not give this PDF to anybody").of_response(status)
    if 400 <= status < 500 and status != 416:
        raise UpstreamRejected(f"arXiv refused the PDF (HTTP {status})").of_response(status)
    raise UpstreamFaulty(f"arXiv answered with HTTP {status} for a PDF").of_response(status)
