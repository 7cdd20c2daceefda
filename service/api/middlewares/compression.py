"""Compression middleware: gzip or zstd for responses over 1 kB, where the client names it.

The status route, streams of events and PDFs are left as they are: the first is too hot,
the second must not be held back, the third is compressed by itself.
"""

import asyncio
import gzip

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiohttp.web_response import ContentCoding

from service.api.response_headers import add_vary
from service.domain import zstd

MIN_BYTES = 1024
LARGE_BYTES = 1 << 16  # compressing more takes milliseconds: not on the event loop
GZIP_LEVEL, ZSTD_LEVEL = 6, 3
_COMPRESSIBLE = ("text/", "application/json", "application/problem+json", "application/x-ndjson")
_NEVER = "text/event-stream"
_CONDITIONS = (hdrs.IF_NONE_MATCH, hdrs.IF_MODIFIED_SINCE, hdrs.IF_MATCH, hdrs.IF_UNMODIFIED_SINCE)
STATUS_ROUTE = "job"


@web.middleware
async def compression(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress what `handler` answers, if it is worth it and wanted."""
    response = await handler(request)
    if response.prepared or not _may_be(request, response):
        return response
    if isinstance(response, web.FileResponse):
        compress_stream(request, response)
    elif isinstance(response, web.Response) and isinstance(response.body, bytes):
        await _compress(request, response, response.body)
    return response


def compress_stream(request: web.Request, response: web.StreamResponse) -> None:
    """Have aiohttp compress a response that is sent in pieces; call it before `prepare`."""
    add_vary(response, hdrs.ACCEPT_ENCODING)
    may_have_no_body = request.method == hdrs.METH_HEAD or any(
        name in request.headers for name in _CONDITIONS
    )
    if "gzip" in accepted_encodings(request) and not may_have_no_body:
        response.enable_compression(ContentCoding.gzip)
        _weaken(response)


def accepted_encodings(request: web.Request) -> list[str]:
    """Those of `zstd` and `gzip` that the client names, best first (RFC 9110 §12.5.3)."""
    weights: dict[str, float] = {}
    for element in ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ())).split(","):
        name, _, parameter = (part.strip().lower() for part in element.partition(";"))
        if name in ("zstd", "gzip"):
            weights[name] = _weight(parameter)
    named = [name for name in ("zstd", "gzip") if weights.get(name, 0) > 0]
    return sorted(named, key=lambda name: -weights[name])


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def _may_be(request: web.Request, response: web.StreamResponse) -> bool:
    resource = request.match_info.route.resource
    is_status = resource is not None and resource.name == STATUS_ROUTE
    if is_status or hdrs.CONTENT_ENCODING in response.headers or response.status == 206:
        return False
    kind = response.headers.get(hdrs.CONTENT_TYPE, "")
    return kind.startswith(_COMPRESSIBLE) and not kind.startswith(_NEVER)


async def _compress(request: web.Request, response: web.Response, body: bytes) -> None:
    if len(body) <= MIN_BYTES:
        return
    add_vary(response, hdrs.ACCEPT_ENCODING)
    encodings = accepted_encodings(request)
    if not encodings:
        return
    pack = _zstd if encodings[0] == "zstd" else _gzip
    is_large = len(body) > LARGE_BYTES
    response.body = await asyncio.to_thread(pack, body) if is_large else pack(body)
    response.headers[hdrs.CONTENT_ENCODING] = encodings[0]
    _weaken(response)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def _zstd(body: bytes) -> bytes:
    return zstd.compress(body, ZSTD_LEVEL)


def _weaken(response: web.StreamResponse) -> None:
    """The tag of the same content in other bytes is a weak one (RFC 9110 §8.8.1)."""
    tag = response.headers.get(hdrs.ETAG)
    if tag is not None and not tag.startswith("W/"):
        response.headers[hdrs.ETAG] = f"W/{tag}"
