"""Handlers of papers: filtered lists, exports, one paper by its id."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web

from service.api.exports.formats import BIBTEX, CSV, PARQUET, Form, wanted_form
from service.api.exports.formats import CONTENT as FORMS_CONTENT
from service.api.handlers.jobs import DATABASE, json_response
from service.api.negotiation import JSON, NDJSON
from service.api.openapi.operation import (
    NO_PAPER,
    PAPERS_TAG,
    Answer,
    Content,
    describe,
)
from service.api.pagination import Listed, next_link
from service.api.schemas.loading import load_query
from service.api.schemas.papers import (
    CURSORS,
    PAPER_EXAMPLE,
    ListedPaperSchema,
    OnePaperSchema,
    PaperQuerySchema,
    filter_of,
    found_document,
    paper_document,
    search_of,
)
from service.api.streaming import send
from service.db.engine import Database
from service.db.held_papers import HeldPaperStore
from service.db.paper_search import PaperSearch
from service.db.search_store import SearchKey
from service.domain.errors import InvalidRequest, NotFound
from service.domain.identifiers import ArxivId

EXPORT_CHUNK = 100  # papers read at once; some 3 kB each
_Page = tuple[Sequence[Mapping[str, Any]], SearchKey | None]
_Pages = Callable[[int, SearchKey | None], Awaitable[_Page]]
_FRESH = {"Cache-Control": "no-store", "Vary": "Accept"}


@describe(
    name="listPapers",
    tag=PAPERS_TAG,
    summary="List papers",
    description=(
        "Papers that match all that is given, last submitted first or, with `sort=relevance`,"
        " best match first: in pages, or all at once (then without `limit`) with"
        f" `Accept: {NDJSON}`, a JSON object on each line, `{BIBTEX}`, `{CSV}` or `{PARQUET}`"
        " (needs the extra `parquet`). A page of a search may be short, and still have a"
        " next one. Of a search by relevance only the best of a bounded number is to be had."
    ),
    query=PaperQuerySchema,
    answers={
        200: Answer(
            description="A page, or all of them.",
            content={
                JSON: Content(ListedPaperSchema, [PAPER_EXAMPLE], many=True),
                **FORMS_CONTENT,
            },
            headers=("Link", "Vary"),
        )
    },
    problems={406: "None of the media types in Accept is available at this path"},
)
async def list_papers(request: web.Request) -> web.StreamResponse:
    """GET /papers → 200 with a page of the papers that match, or with all of them as a file."""
    query = load_query(PaperQuerySchema(), request.query)
    pages = _pages(request.app[DATABASE], query)
    if (form := wanted_form(request)) is not None:
        return await _export(request, form, pages, query.get("cursor"))
    documents, after = await pages(query["limit"], query.get("cursor"))
    headers = dict(_FRESH)
    if after is not None:
        headers |= next_link(request, CURSORS.write(*after))
    return json_response(documents, headers=headers)


def _pages(database: Database, query: Mapping[str, Any]) -> _Pages:
    """How pages are read: (limit, key) → documents, and the key behind which there are more."""
    wanted, search = filter_of(query), search_of(query)

    async def listed(limit: int, after: Any) -> _Page:  # noqa: ANN401 - a key
        async with database.transaction() as conn:
            rows = await HeldPaperStore(conn).list_newest(wanted, limit=limit + 1, after=after)
        page = Listed.of(rows, limit=limit)
        more = (page.rows[-1].published_at, page.rows[-1].arxiv_id) if page.has_more else None
        return [paper_document(row) for row in page.rows], more

    async def searched(limit: int, after: Any) -> _Page:  # noqa: ANN401 - a key
        assert search is not None
        page = await PaperSearch(database).page(search, limit=limit, after=after)
        return [found_document(one) for one in page.papers], page.after

    return listed if search is None else searched


async def _export(
    request: web.Request, form: Form, pages: _Pages, after: SearchKey | None
) -> web.StreamResponse:
    if "limit" in request.query:
        message = f"Must not be given with {form.media_type}, which has no pages."
        raise InvalidRequest({"limit": [message]})
    response = web.StreamResponse(headers={**form.headers("papers"), **_FRESH})
    return await send(request, response, form.write(_batches(pages, after)))


async def _batches(
    pages: _Pages, after: SearchKey | None
) -> AsyncGenerator[Sequence[Mapping[str, Any]]]:
    """All papers that match; no connection is held between two batches."""
    while True:
        documents, after = await pages(EXPORT_CHUNK, after)
        yield documents
        if after is None:
            return


@describe(
    name="getPaper",
    tag=PAPERS_TAG,
    summary="Get a paper",
    description=(
        "Metadata of the newest version seen, and what is held of its PDF; in the forms of the"
        " list, too. Of an id with a version: of that version, if it is known; title and the like"
        " are those of `metadata_version`."
    ),
    answers={
        200: Answer(
            description="The paper.",
            content={JSON: Content(OnePaperSchema, PAPER_EXAMPLE), **FORMS_CONTENT},
            headers=("Vary",),
        )
    },
    problems={
        404: NO_PAPER,
        406: "None of the media types in Accept is available at this path",
    },
)
async def get_paper(request: web.Request) -> web.StreamResponse:
    """GET /papers/{arxiv_id} → 200 with the metadata of the version held."""
    form, arxiv_id = wanted_form(request), arxiv_id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        store = HeldPaperStore(conn)
        document = paper_document(await store.get(arxiv_id))
        if arxiv_id.version is not None:
            document["metadata_version"] = await store.newest_version(arxiv_id)
    if form is None:
        return json_response(document, headers=_FRESH)
    name = str(arxiv_id).replace("/", "_")
    response = web.StreamResponse(headers={**form.headers(name), **_FRESH})
    return await send(request, response, form.write(_one(document)))


async def _one(document: Mapping[str, Any]) -> AsyncGenerator[Sequence[Mapping[str, Any]]]:
    yield [document]


def arxiv_id_of(request: web.Request) -> ArxivId:
    """The id in the path, of either style; raises NotFound for any other text."""
    with suppress(ValueError):
        return ArxivId.parse(request.match_info["arxiv_id"])
    raise NotFound("Paper not found", code="paper_not_found")
