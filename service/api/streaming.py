"""Streaming responses: sent in pieces, to clients of any speed, with little memory.

A piece is fetched when the one before it has gone out, so a slow client slows
only itself; the server cuts off one that takes nothing (`server.py`). An answer
that cannot be sent to its end has its connection broken, without the mark of a
proper end: the client can tell that it does not have everything.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from aiohttp import ClientConnectionError, hdrs, web

from service.api.middlewares.compression import compress_stream
from service.domain.errors import NotFound, TransientError

COMPRESSED = frozenset(
    {"application/x-ndjson", "text/csv", "application/x-bibtex", "text/plain", "text/markdown"}
)
PIECE_BYTES = 64 * 1024  # what aiohttp itself lets pile up before it waits

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Streams:
    """The answers in pieces of one process; when `is_stopping`, no more pieces are fetched."""

    is_stopping: bool = False

    async def stop(self, _: web.Application) -> None:
        """Let answers end soon: the server is about to wait for them."""
        self.is_stopping = True


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


async def send(
    request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[bytes]
) -> web.StreamResponse:
    """Send `pieces` as the body of `response`; to a HEAD, its headers.

    What the first piece raises is raised, for nothing has been sent yet; what
    comes later breaks the connection.
    """
    streams = request.app[STREAMS]
    async with aclosing(pieces):
        first = await anext(pieces, b"")
        if response.content_type in COMPRESSED:
            compress_stream(request, response)
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
        try:
            await _write(response, first)
            async for piece in pieces:
                if streams.is_stopping:
                    raise ConnectionAbortedError
                await _write(response, piece)
        except (ConnectionError, ClientConnectionError, TransientError, NotFound) as err:
            _log.info("response aborted", path=request.path[:200], error=type(err).__name__)
            if request.transport is not None:
                request.transport.abort()
    return response


async def whole(body: bytes) -> AsyncGenerator[bytes]:
    """A body that is there already, as pieces."""
    yield body


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    """Write no more at once than the server's patience with slow clients is made for."""
    for start in range(0, len(piece), PIECE_BYTES):
        await response.write(piece[start : start + PIECE_BYTES])
