"""arXiv as the rest of the service sees it: a page of papers, a PDF on its way.

One method per call that arXiv offers. Each waits for its turn in the fleet's
pace, sends one request, and turns whatever comes back into a value or one of
our errors. What arXiv means by an answer is decided here; bytes, redirects and
foreign exceptions are dealt with below.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from aiohttp import ClientResponse, ClientSession
from multidict import CIMultiDictProxy
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)
from yarl import URL

from service.arxiv import atom
from service.arxiv.http import Answer, Exchange, answered_at, user_agent, within
from service.arxiv.limits import ClientLimits
from service.arxiv.pace import Channel, RateLimiter, Requester
from service.arxiv.pdf_response import Forbidden, PdfStream, ends_at, range_headers
from service.arxiv.query import ApiRequest, api_request, ids_asked
from service.arxiv.redirects import MAX_HOPS, next_hop, too_many_hops
from service.arxiv.retry_after import retry_after
from service.domain.errors import (
    Outage,
    RateLimited,
    Unavailable,
    UpstreamFaulty,
    UpstreamRejected,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria
from service.domain.papers import Page

PARSED_IN_PLACE_BYTES = 256 * 1024  # about 20 ms of parsing; more goes to a thread

_THROTTLED_BODY = b"rate exceeded"  # HTTP 200, text/plain, from the cache in front of arXiv
_PASSING = frozenset({408, 425})  # 4xx by number, but it was the moment, not the question
_SUBJECT_CLASS = re.compile(r"\.[A-Z]{2}(?=/)")


class ArxivClient:
    """arXiv's query API and its PDFs.

    `session` comes from `http.client_session`; `contact` is an e-mail address
    for the User-Agent, or None.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        api_url: str,
        pdf_url: str,
        contact: str | None,
        pace: RateLimiter,
        limits: ClientLimits | None = None,
    ) -> None:
        self._api_url = api_url
        self._pdf_url = pdf_url.rstrip("/")
        self._pace = pace
        self._limits = limits or ClientLimits()
        self._exchange = Exchange(session, user_agent(contact), self._limits)

    async def page(self, criteria: Criteria, *, offset: int, size: int, asker: Requester) -> Page:
        """The `size` results of `criteria` from `offset` on (or ids of its list, if it has one).

        An empty page is returned as it is, though arXiv may promise more: ask
        again before believing it. Raises RateLimited (arXiv wants silence,
        which the whole fleet now keeps), Outage (arXiv is away for whoever
        asks; likewise), UpstreamRejected, RedirectRefused, what `asker` raises,
        UpstreamUnavailable after `limits.attempts` broken answers in a row, and
        ValueError for a page that may never be asked for.
        """
        request = api_request(self._api_url, criteria, offset=offset, size=size)
        try:
            page: Page = await self._retrying()(self._one_page, request, asker)
        except UpstreamFaulty as err:
            tries = self._limits.attempts
            message = f"arXiv gave no usable answer in {tries} tries; the last: {err}"
            raise UpstreamUnavailable(message, attempts=tries) from err
        if criteria.ids and not criteria.has_terms:
            return _with_missing(page, ids_asked(criteria, offset=offset, size=size))
        return page

    def open_pdf(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[PdfStream]:
        """The PDF of `arxiv_id` (with its version, else ValueError), from `offset` on if possible.

        Resumes only with the strong `etag` of the earlier answer; look at
        `PdfStream.offset` for what came. Raises Unavailable (no such PDF),
        RateLimited, Outage, Forbidden, UpstreamRejected, RedirectRefused, and
        UpstreamFaulty, also while the stream is read; nothing is tried twice.
        """
        if arxiv_id.version is None:
            raise ValueError("a PDF belongs to one version of a paper")
        return self._pdf(arxiv_id, offset, etag)

    def _retrying(self) -> AsyncRetrying:
        first, longest = self._limits.retry_first, self._limits.retry_longest
        return AsyncRetrying(
            stop=stop_after_attempt(self._limits.attempts),
            wait=wait_exponential_jitter(
                multiplier=first.total_seconds(),
                max=longest.total_seconds(),
                jitter=first.total_seconds(),
            ),
            retry=retry_if_exception_type(UpstreamFaulty),
            reraise=True,
        )

    async def _one_page(self, request: ApiRequest, asker: Requester) -> Page:
        async with self._recording_outages(Channel.API, asker.name):
            answer = await self._answer(request, asker)
            if (
                answer.status == 403  # we are blocked; going on would be taken for an attack
                or asks_for_cooldown(answer.status, answer.headers)
                or _is_rate_exceeded(answer)
            ):
                raise await self._cooldown(Channel.API, answer.headers)
            page = await _page_of(answer)
        await self._pace.cleared(Channel.API)
        return page

    @asynccontextmanager
    async def _recording_outages(self, lane: Channel, asker: str) -> AsyncIterator[None]:
        """Raise Outage when the block, like those of others before, found arXiv away."""
        try:
            yield
        except UpstreamUnreachable as err:
            delay = await self._pace.failed(lane, asker)
            if delay is not None:
                raise Outage(delay) from err
            raise

    async def _answer(self, request: ApiRequest, asker: Requester) -> Answer:
        """The answer at the end of the redirects; each hop has a turn of its own."""
        url = URL(request.url, encoded=True)
        for _ in range(MAX_HOPS + 1):
            async with self._pace.api_slot() as turn:
                await asker.check()
                await turn.begin()
                answer = await self._exchange.whole(url, request.form, on_answer=turn.answered)
            target = next_hop(url, answer.status, answer.headers.get("Location"))
            if target is None:
                return answer
            url = target
        raise too_many_hops()

    @asynccontextmanager
    async def _pdf(
        self, arxiv_id: ArxivId, offset: int, etag: str | None
    ) -> AsyncIterator[PdfStream]:
        url, headers = URL(f"{self._pdf_url}/{arxiv_id}"), range_headers(offset, etag)
        for _ in range(MAX_HOPS + 1):
            await self._pace.pdf_slot()
            deadline = within(self._limits.pdf_total)
            async with self._recording_outages(Channel.PDF, str(arxiv_id)):
                response = await self._exchange.start(url, headers, deadline=deadline)
            try:
                target = next_hop(url, response.status, response.headers.get("Location"))
                if target is None:
                    async with self._recording_outages(Channel.PDF, str(arxiv_id)):
                        await self._check_pdf_answer(response, offset)
                    body = self._exchange.body(response, deadline)
                    stream = PdfStream.of(response, body, asked=offset, etag=etag)
                    yield stream
                    if stream.is_complete:
                        await self._pace.cleared(Channel.PDF)
                    return
            finally:
                response.close()
            url = target
        raise too_many_hops()

    async def _check_pdf_answer(self, response: ClientResponse, offset: int) -> None:
        """Raise what an answer means for a PDF that brings none of it from `offset` on."""
        status = response.status
        if asks_for_cooldown(status, response.headers):
            raise await self._cooldown(Channel.PDF, response.headers)
        if status in (200, 206) or ends_at(response, offset):
            return
        if status in (404, 410):
            raise Unavailable("arXiv has no PDF of this version")
        if status == 403:
            await self._pace.silence(Channel.PDF, None)
            raise Forbidden("arXiv forbids us its PDFs for now")
        if 400 <= status < 500 and status != 416:
            raise UpstreamRejected(f"arXiv refused the PDF (HTTP {status})")
        away = UpstreamUnreachable if status >= 500 else UpstreamFaulty
        raise away(f"arXiv answered with HTTP {status} for a PDF")

    async def _cooldown(self, lane: Channel, headers: CIMultiDictProxy[str]) -> RateLimited:
        """Silence the lane for the whole fleet as arXiv wishes; the error that says how long."""
        wish = retry_after(headers.get("Retry-After"), now=answered_at(headers))
        return RateLimited(await self._pace.silence(lane, wish))


def asks_for_cooldown(status: int, headers: CIMultiDictProxy[str]) -> bool:
    """True for a throttling answer; a 503 that names no time is a fault like any other 5xx."""
    return status == 429 or (status == 503 and "Retry-After" in headers)


def _is_rate_exceeded(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.lstrip()[:20].lower().startswith(_THROTTLED_BODY)


async def _page_of(answer: Answer) -> Page:
    """The page that an answer brings, or what its status says instead."""
    if answer.status == 200:
        return await _parsed(answer.body)
    if answer.status == 400:
        with suppress(UpstreamFaulty):
            await _parsed(answer.body)  # an error feed names its reason
    if 400 <= answer.status < 500 and answer.status not in _PASSING:
        raise UpstreamRejected(f"arXiv refused the query (HTTP {answer.status})")
    away = UpstreamUnreachable if answer.status >= 500 else UpstreamFaulty
    raise away(f"arXiv answered with HTTP {answer.status}")


async def _parsed(body: bytes) -> Page:
    """`atom.parse`, in a thread if it would hold up the event loop."""
    if len(body) <= PARSED_IN_PLACE_BYTES:
        return atom.parse(body)
    return await asyncio.to_thread(atom.parse, body)


def _with_missing(page: Page, asked: Sequence[ArxivId]) -> Page:
    """`page` with the ids asked for and not returned.

    The old server answered an unknown id with an entry without an id; such an
    entry says nothing that `missing` does not say better, so it is dropped.
    """
    named = [error for error in page.errors if error.arxiv_id]
    returned = {paper.arxiv_id.paper for paper in page.papers}
    returned |= {error.arxiv_id for error in named if error.arxiv_id}
    missing = tuple(one for one in dict.fromkeys(asked) if _canonical(one) not in returned)
    return replace(page, missing=missing, errors=tuple(named) if missing else page.errors)


def _canonical(arxiv_id: ArxivId) -> str:
    """The paper as arXiv names it in answers: `math/0309136` for `math.GT/0309136`."""
    return _SUBJECT_CLASS.sub("", arxiv_id.paper)
