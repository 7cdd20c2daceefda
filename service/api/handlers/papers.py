"""Handlers of papers: filtered lists, NDJSON export, one paper by its id."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web

from service.api.handlers.jobs import DATABASE, json_response
from service.api.negotiation import JSON, NDJSON, preferred
from service.api.openapi.operation import (
    NO_PAPER,
    PAPERS_TAG,
    TEXT_SCHEMA,
    Answer,
    Content,
    describe,
    json_answer,
)
from service.api.pagination import Listed, next_link
from service.api.schemas.loading import load_query
from service.api.schemas.papers import (
    CURSORS,
    PAPER_EXAMPLE,
    PaperQuerySchema,
    PaperSchema,
    filter_of,
    paper_document,
)
from service.api.streaming import send
from service.db.engine import Database
from service.db.held_papers import HeldPaperStore, PaperKey
from service.domain.errors import InvalidRequest, NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import PaperFilter

EXPORT_CHUNK = 100  # papers read at once; some 3 kB each
_FRESH = {"Cache-Control": "no-store", "Vary": "Accept"}


@describe(
    name="listPapers",
    tag=PAPERS_TAG,
    summary="List papers",
    description=(
        "Papers that match all that is given, last submitted first: in pages, or with"
        f" `Accept: {NDJSON}` all at once, a JSON object on each line (then without `limit`)."
    ),
    query=PaperQuerySchema,
    answers={
        200: Answer(
            description="A page, or all of them.",
            content={
                JSON: Content(PaperSchema, [PAPER_EXAMPLE], many=True),
                NDJSON: Content(TEXT_SCHEMA, '{"arxiv_id":"2301.00001","version":1, …}\n'),
            },
            headers=("Link", "Vary"),
        )
    },
    problems={406: "None of the media types in Accept is available at this path"},
)
async def list_papers(request: web.Request) -> web.StreamResponse:
    """GET /papers → 200 with a page of the papers that match, or with all of them as NDJSON."""
    query = load_query(PaperQuerySchema(), request.query)
    wanted, after = filter_of(query), query.get("cursor")
    if preferred(request, (JSON, NDJSON)) == NDJSON:
        return await _export(request, wanted, after)
    limit = query["limit"]
    async with request.app[DATABASE].transaction() as conn:
        rows = await HeldPaperStore(conn).list_newest(wanted, limit=limit + 1, after=after)
    page = Listed.of(rows, limit=limit)
    headers = dict(_FRESH)
    if page.has_more:
        headers |= next_link(request, CURSORS.write(*_key(page.rows[-1])))
    return json_response([paper_document(row) for row in page.rows], headers=headers)


async def _export(
    request: web.Request, wanted: PaperFilter, after: PaperKey | None
) -> web.StreamResponse:
    if "limit" in request.query:
        raise InvalidRequest({"limit": ["Must not be given with NDJSON, which has no pages."]})
    headers = {"Content-Type": NDJSON, "X-Content-Type-Options": "nosniff", **_FRESH}
    response = web.StreamResponse(headers=headers)
    return await send(request, response, _lines(request.app[DATABASE], wanted, after))


async def _lines(
    database: Database, wanted: PaperFilter, after: PaperKey | None
) -> AsyncGenerator[bytes]:
    """All papers that match, a line for each; no connection is held between two pieces."""
    while True:
        async with database.transaction() as conn:
            store = HeldPaperStore(conn)
            rows = await store.list_newest(wanted, limit=EXPORT_CHUNK, after=after)
        yield b"".join(
            orjson.dumps(paper_document(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows
        )
        if len(rows) < EXPORT_CHUNK:
            return
        after = _key(rows[-1])


@describe(
    name="getPaper",
    tag=PAPERS_TAG,
    summary="Get a paper",
    description="Metadata of the newest version seen, and what is held of its PDF.",
    answers={200: json_answer("The paper.", PaperSchema, PAPER_EXAMPLE)},
    problems={404: NO_PAPER},
)
async def get_paper(request: web.Request) -> web.Response:
    """GET /papers/{arxiv_id} → 200 with the metadata of the version held."""
    async with request.app[DATABASE].transaction() as conn:
        row = await HeldPaperStore(conn).get(arxiv_id_of(request))
    return json_response(paper_document(row))


def arxiv_id_of(request: web.Request) -> ArxivId:
    """The id in the path, of either style; raises NotFound for any other text."""
    with suppress(ValueError):
        return ArxivId.parse(request.match_info["arxiv_id"])
    raise NotFound("Paper not found", code="paper_not_found")


def _key(row: Any) -> PaperKey:  # noqa: ANN401 - a row of HeldPaperStore
    return row.published_at, row.arxiv_id
