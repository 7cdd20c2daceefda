"""An answer as a value, and how it is sent.

Handlers and faults make an `Answer`; `send` puts it on the wire, counts what
went out, keeps to a bandwidth and stops where a fault wants it to stop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from service.devtools.stand_in.faults import MAX_SECONDS
from service.devtools.stand_in.log import Record

_PIECE = 16_384  # bytes written at once under a bandwidth
ATOM = "application/atom+xml; charset=utf-8"
HTML = "text/html; charset=utf-8"
XML = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body; `chunked` leaves the Content-Length out, as arXiv's PDFs do.

    `total` is what a search says it matches in all, for faults that keep it.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an answer goes out: `bandwidth` in bytes per second, None for full speed.

    Before byte `pause_at` of the body, `pause` is awaited; when it returns False
    nothing more is sent and the connection is cut, as it is after `limit` seconds.
    """

    bandwidth: int | None = None
    limit: float = MAX_SECONDS
    pause_at: int = 0
    pause: Callable[[], Awaitable[bool]] | None = None


async def send(
    request: web.Request, answer: Answer, record: Record, delivery: Delivery | None = None
) -> web.StreamResponse:
    """Send `answer`, all of it, and return the response that went out."""
    delivery = delivery or Delivery()
    response = prepared(request, answer)
    await response.prepare(request)
    record.status = answer.status
    if request.method != "HEAD" and not await _send_body(response, answer.body, record, delivery):
        return cut(request, response)
    await response.write_eof()
    record.complete = True
    return response


def prepared(request: web.Request, answer: Answer) -> web.StreamResponse:
    """A response with the status line and headers of `answer`, nothing sent yet."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.headers["Content-Type"] = answer.content_type
    if answer.chunked and request.version >= (1, 1):
        response.enable_chunked_encoding()
    elif answer.chunked:
        response.force_close()
    else:
        response.content_length = len(answer.body)
    return response


def cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection after what was written, whatever was promised."""
    response.force_close()
    if request.transport:
        request.transport.close()
    return response


async def _send_body(
    response: web.StreamResponse, body: bytes, record: Record, delivery: Delivery
) -> bool:
    """Write `body`; False when a pause ended with an order to stop, or the time was up."""
    before, after = body[: delivery.pause_at], body[delivery.pause_at :]
    try:
        async with asyncio.timeout(delivery.limit):
            await _write(response, before, record, delivery.bandwidth)
            if delivery.pause and not await delivery.pause():
                return False
            await _write(response, after, record, delivery.bandwidth)
    except TimeoutError:
        return False
    return True


async def _write(
    response: web.StreamResponse, body: bytes, record: Record, bandwidth: int | None
) -> None:
    if not body:
        return
    size = max(1, min(_PIECE, bandwidth // 10)) if bandwidth else len(body)
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        if bandwidth:
            await asyncio.sleep(len(piece) / bandwidth)
        await response.write(piece)
        record.bytes_sent += len(piece)
