"""The structured document of a paper over HTTP: whole, in part, as Markdown; its references."""

import orjson
from aiohttp import hdrs, web

from service.api.document_rendering import References, markdown_of, outline_of, part_of, whole_of
from service.api.handlers.jobs import DATABASE
from service.api.handlers.papers import arxiv_id_of
from service.api.negotiation import JSON, MARKDOWN, is_seen, preferred, require_match
from service.api.openapi.operation import (
    NO_DOCUMENT,
    NOT_MODIFIED,
    PAPERS_TAG,
    TEXT_SCHEMA,
    Answer,
    Content,
    describe,
)
from service.api.root_path import public_path
from service.api.schemas.documents import (
    CITED_EXAMPLE,
    DOCUMENT_EXAMPLE,
    CitedSchema,
    DocumentQuerySchema,
    DocumentSchema,
)
from service.api.schemas.loading import load_query
from service.api.streaming import send, whole
from service.db.documents import DocumentStore, HeldDocument
from service.domain.errors import NotFound
from service.files.blocking import in_thread

_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

_PAPER = "/api/v1/papers/{}"


@describe(
    name="getDocument",
    tag=PAPERS_TAG,
    summary="Show the structured document",
    description=(
        "Sections, captions and references of the version held, in JSON; with"
        f" `Accept: {MARKDOWN}` as Markdown. `part=outline` gives the sections without their"
        " text (JSON only), `section` one of them with all below it."
    ),
    query=DocumentQuerySchema,
    headers=("If-Match", "If-None-Match"),
    answers={
        200: Answer(
            description="The document.",
            content={
                JSON: Content(DocumentSchema, DOCUMENT_EXAMPLE),
                MARKDOWN: Content(TEXT_SCHEMA, "# A title\n\n## 1 Introduction\n\n…\n"),
            },
            headers=("ETag", "Vary"),
        ),
        304: NOT_MODIFIED,
    },
    problems={
        404: NO_DOCUMENT,
        406: "None of the media types in Accept is available at this path",
        412: "Precondition failed",
    },
)
async def get_document(request: web.Request) -> web.StreamResponse:
    """GET /papers/{arxiv_id}/document → 200 with the document, or the part asked for."""
    arxiv_id = arxiv_id_of(request)
    query = load_query(DocumentQuerySchema(), request.query)
    is_outline, section = "part" in query, query.get("section")
    kind = preferred(request, (JSON,) if is_outline else (JSON, MARKDOWN))
    async with request.app[DATABASE].transaction() as conn:
        row = await DocumentStore(conn).get(arxiv_id)
    headers = _headers(request, row, kind)
    if headers is None:
        return _not_modified(row, kind)
    if kind == MARKDOWN:
        body = await in_thread(markdown_of, row, section)
    elif is_outline:
        body = await in_thread(outline_of, row)
    else:
        body = whole_of(row) if section is None else await in_thread(part_of, row, section)
    if body is None:
        raise NotFound("The document has no such section", code="document_not_found")
    return await _send(request, body, headers)


@describe(
    name="listReferences",
    tag=PAPERS_TAG,
    summary="List the references of a paper",
    description="As they are printed; those whose paper is held here have a `link` to it.",
    headers=("If-Match", "If-None-Match"),
    answers={
        200: Answer(
            description="The references, in the order of the list.",
            content={JSON: Content(CitedSchema, [CITED_EXAMPLE], many=True)},
            headers=("ETag", "Vary"),
        ),
        304: NOT_MODIFIED,
    },
    problems={404: NO_DOCUMENT, 412: "Precondition failed"},
)
async def list_references(request: web.Request) -> web.StreamResponse:
    """GET /papers/{arxiv_id}/references → 200 with the references, linked to what is held."""
    arxiv_id = arxiv_id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        store = DocumentStore(conn)
        row = await store.get(arxiv_id, part="references")
        references = References(row.content)
        held = await store.list_held(references.arxiv_ids)
    links = {name: public_path(request.app, _PAPER.format(name)) for name in held}
    headers = _headers(request, row, f"references-{references.tag(links)}")
    if headers is None:
        return _not_modified(row, f"references-{references.tag(links)}")
    headers[hdrs.CONTENT_TYPE] = JSON
    return await _send(request, orjson.dumps(references.linked(links)), headers)


def _tag(row: HeldDocument, form: str) -> str:
    refused = "" if row.html_refused is None else f"-{row.html_tag}"
    made_at = f"{row.made_at.timestamp():.6f}"
    return f"{row.version}-{made_at}{refused}-{form.rpartition('/')[2]}"


def _headers(request: web.Request, row: HeldDocument, form: str) -> dict[str, str] | None:
    """Headers of the answer; None when the caller has it. Raises HTTPPreconditionFailed."""
    tag = _tag(row, form)
    require_match(request, tag)
    if is_seen(request, tag):
        return None
    kind = f"{MARKDOWN}; charset=utf-8" if form == MARKDOWN else form
    return {**_HEADERS, hdrs.ETAG: f'"{tag}"', hdrs.VARY: "Accept", hdrs.CONTENT_TYPE: kind}


def _not_modified(row: HeldDocument, form: str) -> web.Response:
    headers = {**_HEADERS, hdrs.ETAG: f'"{_tag(row, form)}"', hdrs.VARY: "Accept"}
    return web.Response(status=304, headers=headers)


async def _send(request: web.Request, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    headers[hdrs.CONTENT_LENGTH] = str(len(body))
    return await send(request, web.StreamResponse(headers=headers), whole(body))
