"""What each channel of the stand-in answers: query API, OAI-PMH, PDFs, HTML."""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from multidict import MultiMapping

from service.devtools.stand_in import feed
from service.devtools.stand_in.answers import XML, Answer
from service.devtools.stand_in.download import MISSING, download
from service.devtools.stand_in.html import HtmlPages
from service.devtools.stand_in.oai import OaiServer
from service.devtools.stand_in.oai_cache import OaiCache
from service.devtools.stand_in.oai_errors import OaiError, error_document
from service.devtools.stand_in.parameters import Exploded, Parameters, Surroundings
from service.devtools.stand_in.query import BadQuery
from service.devtools.stand_in.source import Source

EXPLODED = Answer(status=500, body=b"Internal Server Error", content_type="text/plain")
NOT_ACCEPTABLE = Answer(status=406, body=b"Not Acceptable", content_type="text/plain")


class Channels:
    """The handlers of all channels; `oai` and `pages` are None where only recordings are served."""

    def __init__(
        self, source: Source, cache: OaiCache, oai: OaiServer | None, pages: HtmlPages | None
    ) -> None:
        self._source = source
        self._cache = cache
        self._oai = oai
        self._pages = pages

    async def query(self, request: web.Request, around: Surroundings) -> Answer:
        """The answer of the query API, to GET and POST."""
        try:
            parameters = Parameters.read({**request.query, **await _form(request)}, around)
            return self._source.query(parameters)
        except BadQuery as error:
            return feed.error_feed(str(error), around.base)
        except Exploded:
            return EXPLODED

    async def oai(self, request: web.Request, around: Surroundings) -> Answer:
        """The answer of OAI-PMH, to GET and POST; errors are 200, too."""
        if self._oai is None:
            return MISSING
        given: MultiMapping[object] = request.query
        if request.method == "POST":
            given = await request.post()
        if len(given) > len(set(given)):
            error = OaiError("badArgument", "Duplicate parameters not allowed")
            return Answer(body=error_document(around.base, error, {}), content_type=XML)
        asked = {name: str(value) for name, value in given.items()}
        return Answer(body=await self._cached(self._oai, asked, around), content_type=XML)

    async def pdf(self, request: web.Request, around: Surroundings) -> Answer:
        """A PDF."""
        generation = int("pdf-regenerated" in around.traps)
        return await download(request, self._source, generation=generation)

    async def html(self, request: web.Request, _: Surroundings) -> Answer:
        """The HTML of a paper."""
        return MISSING if self._pages is None else await self._pages.download(request)

    async def abstract(self, request: web.Request, _: Surroundings) -> Answer:
        """The abstract page of a paper."""
        return MISSING if self._pages is None else await self._pages.abstract(request)

    async def missing(self, _request: web.Request, _: Surroundings) -> Answer:
        """Nothing is here."""
        return MISSING

    async def _cached(
        self, oai: OaiServer, asked: Mapping[str, str], around: Surroundings
    ) -> bytes:
        """The answer to `asked`, an earlier one while the trap of the cache is on.

        It is made in a thread: a list takes a quarter of a second, the first one more.
        """
        is_kept = "oai-cache" in around.traps
        if is_kept and (kept := self._cache.find(asked)) is not None:
            return kept
        body, error = await asyncio.to_thread(oai.answer, asked, around.base)
        if is_kept:
            self._cache.keep(asked, body, is_error=error is not None)
        return body


async def _form(request: web.Request) -> dict[str, str]:
    """The parameters in the body of a POST."""
    return {name: str(value) for name, value in (await request.post()).items()}
