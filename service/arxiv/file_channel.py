"""Downloads on the PDF and HTML channels: under the fleet's rate limit, whole or in parts."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import ClientResponse
from yarl import URL

from service.arxiv.answers import Judge
from service.arxiv.file_response import FileStream, ends_at, range_headers
from service.arxiv.http import Exchange, within
from service.arxiv.limits import ClientLimits
from service.arxiv.pace import PLAIN_RANK, Channel, RateLimiter
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
_NAMES: Mapping[Channel, str] = {Channel.PDF: "PDF", Channel.HTML: "HTML"}


@dataclass(slots=True)
class FileChannel:
    """Files below `url`, those of `channel` (PDF or HTML), one for each version of a paper."""

    channel: Channel
    exchange: Exchange
    pace: RateLimiter
    url: str
    limits: ClientLimits

    def open(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None, rank: int = 0
    ) -> AbstractAsyncContextManager[FileStream]:
        """The file of `arxiv_id` (with its version, else ValueError), from `offset` on if possible.

        Resumes only with the strong `etag` of the earlier answer; look at
        `FileStream.offset` for what came. Of those that wait on the HTML channel the one of
        the highest `rank` is next. Raises Unavailable (no such file),
        ChannelClosed, SlotMissed, ForbiddenPdf, UpstreamRejected, RedirectRefused, and
        UpstreamFaulty, also while the stream is read; nothing is tried twice.
        """
        if arxiv_id.version is None:
            raise ValueError("a file belongs to one version of a paper")
        return self._open(arxiv_id, offset, etag, rank)

    @property
    def total(self) -> timedelta:
        """The longest that a download may take."""
        return self.limits.pdf_total if self.channel is Channel.PDF else self.limits.api_total

    @asynccontextmanager
    async def slot(self, rank: int, *, is_plain: bool = False) -> AsyncIterator[Callable[[], None]]:
        """A slot for one request; what it gives is called when the answer has begun.

        On the HTML channel it is held while the answer is read.
        """
        if self.channel is Channel.PDF:
            await self.pace.pdf_slot(is_plain=is_plain)
            yield lambda: None
            return
        async with self.pace.html_slot(rank, is_plain=is_plain) as slot:
            await slot.begin()
            yield slot.answered

    @asynccontextmanager
    async def _open(
        self, arxiv_id: ArxivId, offset: int, etag: str | None, rank: int
    ) -> AsyncIterator[FileStream]:
        judge = Judge(self.channel, self.pace, _Plain(self, arxiv_id).status)
        url, headers = URL(f"{self.url}/{arxiv_id}"), range_headers(offset, etag)
        for _ in range(MAX_HOPS + 1):
            async with self.slot(rank) as answered:
                deadline = within(self.total)
                try:
                    response = await self.exchange.start(url, headers, deadline=deadline)
                except UpstreamUnreachable as err:
                    raise await judge.no_answer(err) from err
                answered()
                try:
                    if response.status in (200, 206) or ends_at(response, offset):
                        await judge.check(response.status, response.headers)
                        body = self.exchange.body(response, deadline)
                        yield FileStream.of(response, body, asked=offset, etag=etag)
                        return
                finally:
                    response.close()
            target = next_hop(url, response.status, response.headers.get("Location"))
            if target is None:  # the slot is released by now: the judge may need one
                await self._refuse(judge, response)
            else:
                url = target
        raise too_many_hops()

    async def _refuse(self, judge: Judge, response: ClientResponse) -> None:
        """Raise what an answer means that brings nothing of the file."""
        status, name = response.status, _NAMES[self.channel]
        await judge.check(status, response.headers)
        if status in (404, 410):
            raise Unavailable(f"arXiv has no {name} of this version").of_response(status)
        if status == 403:
            await judge.check_forbidden()
            raise ForbiddenPdf(f"arXiv does not give this {name} to anybody").of_response(status)
        if 400 <= status < 500 and status != 416:
            raise UpstreamRejected(f"arXiv refused the {name} (HTTP {status})").of_response(status)
        message = f"arXiv answered with HTTP {status} for {_ARTICLES[self.channel]} {name}"
        raise UpstreamFaulty(message).of_response(status)


_ARTICLES: Mapping[Channel, str] = {Channel.PDF: "a", Channel.HTML: "an"}


@dataclass(frozen=True, slots=True)
class _Plain:
    """The plain request of a channel: another paper's file, of which only the status is read."""

    channel: FileChannel
    asked: ArxivId
    others: tuple[ArxivId, ...] = field(default=_PLAIN)

    async def status(self) -> int:
        other = next(one for one in self.others if one.paper != self.asked.paper)
        channel = self.channel
        async with channel.slot(PLAIN_RANK, is_plain=True) as answered:
            deadline = within(channel.limits.api_total)
            url = URL(f"{channel.url}/{other}")
            response = await channel.exchange.start(url, range_headers(0, None), deadline=deadline)
            response.close()
            answered()
        return response.status
