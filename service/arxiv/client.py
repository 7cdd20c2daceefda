"""arXiv client: pages of the query API, downloads of PDFs and HTML.

One method per call that arXiv offers. Each sends one request in a slot of the
fleet's rate limit and turns whatever comes back into a value or one of our
errors; what is worth another try comes back as another task. What an answer
says of its channel is decided in `answers`; bytes, redirects and foreign
exceptions are dealt with below.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from aiohttp import ClientSession

from service.arxiv import atom
from service.arxiv.api_channel import ApiChannel
from service.arxiv.file_channel import FileChannel
from service.arxiv.file_response import FileStream
from service.arxiv.http import Answer, Exchange, user_agent
from service.arxiv.limits import ClientLimits
from service.arxiv.pace import Channel, RateLimiter, Requester
from service.arxiv.query import api_request
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.measurements import UNMEASURED, Measurements
from service.domain.papers import Page

PARSED_IN_PLACE_BYTES = 256 * 1024  # about 20 ms of parsing; more goes to a thread

_PASSING = frozenset({408, 425})  # 4xx by number, but it was the moment, not the question
_PLAIN = {"id_list": "0704.0001", "max_results": "1"}  # the first of the ids of today


class ArxivClient:
    """arXiv's query API, its PDFs and its HTML.

    `session` comes from `http.client_session`; `contact` is an e-mail address
    for the User-Agent, or None.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        api_url: str,
        pdf_url: str,
        html_url: str,
        contact: str | None,
        pace: RateLimiter,
        limits: ClientLimits | None = None,
        measurements: Measurements = UNMEASURED,
    ) -> None:
        limits = limits or ClientLimits()
        make = partial(Exchange, session, user_agent(contact), limits)
        api, pdf, html = (
            make(partial(measurements.request_answered, one))
            for one in (Channel.API, Channel.PDF, Channel.HTML)
        )
        self._api_url = api_url
        self.api = ApiChannel(api, pace, api_request(api_url, _PLAIN))
        self._pdfs = FileChannel(Channel.PDF, pdf, pace, pdf_url.rstrip("/"), limits)
        self._pages = FileChannel(Channel.HTML, html, pace, html_url.rstrip("/"), limits)

    async def page(self, params: Mapping[str, str], requester: Requester) -> Page:
        """The page of the query API that these parameters ask for (see `query`).

        An empty page is returned as it is, though arXiv may promise more: ask
        again before believing it. Raises what `ApiChannel.ask` raises,
        UpstreamRejected, and UpstreamFaulty for an answer that is no page.
        """
        return await _page_of(await self.api.ask(api_request(self._api_url, params), requester))

    def open_pdf(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[FileStream]:
        """The PDF of `arxiv_id`, from `offset` on if possible: see `FileChannel.open`."""
        return self._pdfs.open(arxiv_id, offset=offset, etag=etag)

    def open_html(
        self, arxiv_id: ArxivId, *, offset: int = 0, etag: str | None = None, rank: int = 0
    ) -> AbstractAsyncContextManager[FileStream]:
        """The HTML page of `arxiv_id`, likewise."""
        return self._pages.open(arxiv_id, offset=offset, etag=etag, rank=rank)


async def _page_of(answer: Answer) -> Page:
    """The page of a response, or the error that its status and body mean."""
    try:
        return await _read_page(answer)
    except (UpstreamRejected, UpstreamFaulty) as err:
        err.of_response(answer.status)
        raise


async def _read_page(answer: Answer) -> Page:
    if answer.status == 200:
        return await _parsed(answer.body)
    if answer.status == 400:
        with suppress(UpstreamFaulty):
            await _parsed(answer.body)  # an error feed names its reason
    if 400 <= answer.status < 500 and answer.status not in _PASSING:
        raise UpstreamRejected(f"arXiv refused the query (HTTP {answer.status})")
    raise UpstreamFaulty(f"arXiv answered with HTTP {answer.status}")


async def _parsed(body: bytes) -> Page:
    """`atom.parse`, in a thread if it would hold up the event loop."""
    if len(body) <= PARSED_IN_PLACE_BYTES:
        return atom.parse(body)
    return await asyncio.to_thread(atom.parse, body)
