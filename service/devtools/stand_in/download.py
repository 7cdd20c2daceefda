"""PDF download as arXiv does it: `/pdf/{id}` for old and new ids, with or without version.

A full GET is chunked and has no Content-Length, HEAD has one; ETag, If-None-Match,
Range and If-Range work; `.pdf` at the end is redirected away; a withdrawn or
unknown paper, and any text that is no id, is an HTML 404.
"""

from email.utils import format_datetime

from aiohttp import web

from service.devtools.stand_in.answers import Answer
from service.devtools.stand_in.source import PdfFile, Source
from service.domain.identifiers import ArxivId

PDF = "application/pdf"
_MISSING = b"""<!DOCTYPE html>
<html><head><title>Not Found | arXiv e-print repository</title></head>
<body><h1>No PDF</h1><p>There is no PDF for this article at arXiv.</p></body></html>
"""
MISSING = Answer(status=404, body=_MISSING)


async def download(request: web.Request, source: Source, *, generation: int = 0) -> Answer:
    """The answer to GET or HEAD of `/pdf/{id}`; `generation` counts how often PDFs were remade."""
    text = request.match_info["id"]
    if text.endswith(".pdf"):
        return Answer(status=301, headers={"Location": f"/pdf/{text.removesuffix('.pdf')}"})
    try:
        arxiv_id = ArxivId.parse(text)
    except ValueError:
        return MISSING
    file = await source.pdf(arxiv_id, generation)
    return MISSING if file is None else file_answer(request, file)


def file_answer(request: web.Request, file: PdfFile, content_type: str = PDF) -> Answer:
    """The answer to a request for `file`: all of it, a part, or that it has not changed."""
    headers = {
        "ETag": file.etag,
        "Last-Modified": format_datetime(file.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{file.name}"',
    }
    if request.headers.get("If-None-Match") in (file.etag, "*"):
        return Answer(status=304, content_type=content_type, headers=headers)
    if "Range" in request.headers and _range_applies(request, file, headers["Last-Modified"]):
        return _part(request, file, headers, content_type)
    return Answer(
        body=file.body,
        content_type=content_type,
        headers=headers,
        chunked=request.method == "GET",
    )


def _range_applies(request: web.Request, file: PdfFile, modified: str) -> bool:
    """A Range counts for GET only, and not when If-Range names another file (RFC 9110, 13.1.5)."""
    condition = request.headers.get("If-Range")
    return request.method == "GET" and condition in (None, file.etag, modified)


def _part(
    request: web.Request, file: PdfFile, headers: dict[str, str], content_type: str
) -> Answer:
    """The range asked for: 206; 416 when there is no such; all of it when it cannot be read."""
    size = len(file.body)
    try:
        asked = request.http_range
    except ValueError:  # not bytes, or several ranges: may be ignored (RFC 9110, 14.2)
        return Answer(body=file.body, content_type=content_type, headers=headers, chunked=True)
    first, stop, _ = asked.indices(size)
    if first >= stop:
        unsatisfied = {"Content-Range": f"bytes */{size}"}
        return Answer(status=416, body=b"Range Not Satisfiable", headers=unsatisfied)
    return Answer(
        status=206,
        body=file.body[first:stop],
        content_type=content_type,
        headers={**headers, "Content-Range": f"bytes {first}-{stop - 1}/{size}"},
    )
