"""Handlers of a paper's PDF and text: conditional requests, ranges, streaming."""

import re

import orjson
from aiohttp import web

from service.api.handlers.jobs import DATABASE
from service.api.handlers.papers import arxiv_id_of
from service.api.negotiation import (
    JSON,
    OCTET_STREAM,
    PDF,
    PLAIN_TEXT,
    is_seen,
    preferred,
    require_match,
    wanted_range,
)
from service.api.openapi.operation import (
    NOT_MODIFIED,
    PAPERS_TAG,
    TEXT_SCHEMA,
    Answer,
    Content,
    describe,
    file_answer,
)
from service.api.schemas.texts import TEXT_EXAMPLE, TextSchema, text_document
from service.api.streaming import send, whole
from service.db.held_papers import HeldPaper, HeldPaperStore, HeldText
from service.db.held_versions import VersionStore
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import PdfState, TextState
from service.files.paths import stem_of
from service.files.store import PdfStore

STORE: web.AppKey[PdfStore] = web.AppKey("store", PdfStore)

_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_NO_PDF = {
    PdfState.NONE: "The PDF of this paper has not been fetched",
    PdfState.FAILED: "The PDF of this paper could not be fetched",
    PdfState.UNAVAILABLE: "arXiv has no PDF of this paper",
}
_PDF_TYPES = (PDF, OCTET_STREAM)
_URL = re.compile(r"https?://[!#-;=?-~]+", re.ASCII)  # nothing that would end the header's value
_ENCRYPTED = "The PDF of this paper is encrypted"
_NO_TEXT = "The text of this paper has not been extracted"


@describe(
    name="getPdf",
    tag=PAPERS_TAG,
    summary="Download the PDF",
    description=(
        "The file that is held; its ETag is its SHA-256. One range can be asked for; several,"
        f" or what is not understood, is ignored. Where `Accept` wants {OCTET_STREAM} rather than"
        f" {PDF}, it comes as that; any other Accept changes nothing."
    ),
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    answers={
        200: file_answer(
            *_PDF_TYPES,
            description="The whole file.",
            example="%PDF-1.7 …",
            headers=("ETag", "Accept-Ranges", "Content-Disposition", "Link", "Vary"),
        ),
        206: file_answer(
            *_PDF_TYPES,
            description="The range.",
            example="PDF-1.7 …",
            headers=(
                *("ETag", "Accept-Ranges", "Content-Disposition", "Content-Range"),
                *("Link", "Vary"),
            ),
        ),
        304: NOT_MODIFIED,
    },
    problems={
        404: "The PDF of this paper has not been fetched",
        412: "Precondition failed",
        416: "The range is outside the file",
    },
)
async def get_pdf(request: web.Request) -> web.StreamResponse:
    """GET /papers/{arxiv_id}/pdf → 200, or 206 with the range asked for."""
    arxiv_id = arxiv_id_of(request)
    async with request.app[DATABASE].transaction() as conn:
        paper = await HeldPaperStore(conn).get(arxiv_id)
        licence = await VersionStore(conn).license_url(paper.arxiv_id, paper.version)
    file = paper.file
    if file is None:
        raise NotFound(_NO_PDF[PdfState(paper.pdf_state)], code="pdf_not_found")
    tag = file.sha256
    headers = {**_HEADERS, "ETag": f'"{tag}"', "Accept-Ranges": "bytes", **_licence(licence)}
    require_match(request, tag)
    if is_seen(request, tag):
        return web.Response(status=304, headers=headers)
    part = wanted_range(request, size=file.size_bytes, tag=tag)
    sent = range(file.size_bytes) if part is None else part
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size_bytes}"
    headers |= {"Content-Type": _pdf_type(request), "Vary": "Accept"}
    headers["Content-Length"] = str(len(sent))
    headers["Content-Disposition"] = f'attachment; filename="{_file_name(paper)}"'
    response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
    return await send(request, response, request.app[STORE].read(file.path, sent))


def _licence(url: str | None) -> dict[str, str]:
    """The header that names the licence (RFC 4946), if one is known that is a URL."""
    is_url = url is not None and _URL.fullmatch(url) is not None
    return {"Link": f'<{url}>; rel="license"'} if is_url else {}


def _pdf_type(request: web.Request) -> str:
    """Clients that were generated from the description know bytes, and no PDF."""
    try:
        return preferred(request, _PDF_TYPES)
    except web.HTTPNotAcceptable:
        return PDF  # as it always was: who asks for the PDF gets it


def _file_name(paper: HeldPaper) -> str:
    """A name of letters, digits, `-`, `_` and `.` only."""
    return stem_of(ArxivId(paper.arxiv_id, paper.version)) + ".pdf"


@describe(
    name="getText",
    tag=PAPERS_TAG,
    summary="Get the text of a PDF",
    description=(
        f"Plain, or with `Accept: {JSON}` in JSON, with pages and what was left out. Pages are"
        " joined by a form feed."
    ),
    headers=("If-Match", "If-None-Match"),
    answers={
        200: Answer(
            description="The text.",
            content={
                PLAIN_TEXT: Content(TEXT_SCHEMA, TEXT_EXAMPLE["text"]),
                JSON: Content(TextSchema, TEXT_EXAMPLE),
            },
            headers=("ETag", "Vary", "X-Text-Truncated", "X-Page-Count"),
        ),
        304: NOT_MODIFIED,
    },
    problems={
        404: "The text of this paper has not been extracted",
        406: "None of the media types in Accept is available at this path",
        412: "Precondition failed",
    },
)
async def get_text(request: web.Request) -> web.StreamResponse:
    """GET /papers/{arxiv_id}/text → 200 with the text of the PDF, plain or in JSON."""
    arxiv_id = arxiv_id_of(request)
    kind = preferred(request, (PLAIN_TEXT, JSON))
    async with request.app[DATABASE].transaction() as conn:
        row = await HeldPaperStore(conn).get_text(arxiv_id)
    if row.paper_text_state == TextState.ENCRYPTED:
        raise NotFound(_ENCRYPTED, code="text_encrypted")
    if row.content is None or row.extracted_at is None:
        message = _NO_PDF.get(PdfState(row.pdf_state), _NO_TEXT)
        raise NotFound(message, code="text_not_found")
    tag = f"{row.version}-{row.extracted_at.timestamp():.6f}-{kind.rpartition('/')[2]}"
    headers = {**_HEADERS, "ETag": f'"{tag}"', "Vary": "Accept"}
    require_match(request, tag)
    if is_seen(request, tag):
        return web.Response(status=304, headers=headers)
    return await (_plain if kind == PLAIN_TEXT else _json)(request, row, headers)


async def _plain(
    request: web.Request, row: HeldText, headers: dict[str, str]
) -> web.StreamResponse:
    headers["Content-Type"] = f"{PLAIN_TEXT}; charset=utf-8"
    headers["X-Text-Truncated"] = "true" if row.truncated else "false"
    headers["X-Page-Count"] = str(row.page_count)
    return await _send_whole(request, (row.content or "").encode(), headers)


async def _json(request: web.Request, row: HeldText, headers: dict[str, str]) -> web.StreamResponse:
    headers["Content-Type"] = JSON
    return await _send_whole(request, orjson.dumps(text_document(row)), headers)


async def _send_whole(
    request: web.Request, body: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    headers["Content-Length"] = str(len(body))
    return await send(request, web.StreamResponse(headers=headers), whole(body))
