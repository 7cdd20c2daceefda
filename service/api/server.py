"""The HTTP server below the application: what it says when a request is no HTTP.

Such a request never reaches the application, so the problems middleware cannot
answer it; aiohttp itself would, in plain text, with its version and Python's,
and with a trace in the log for each.
"""

from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from service.api.problems import problem

SERVER_NAME = "arxiv-ingestion"
UNREADABLE = "The request is not understood"

_log = structlog.get_logger(__name__)


class Runner(web.AppRunner):
    """aiohttp's runner, with a server that answers everything with problems."""

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        options: dict[str, Any] = plain._kwargs  # there is no other way in
        return _Server(plain.request_handler, request_factory=plain.request_factory, **options)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may repeat what the client sent
    ) -> web.StreamResponse:
        """Answer a request that the parser refused (or that broke aiohttp), and hang up."""
        _log.info("request not understood", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        detail = UNREADABLE if status < 500 else "Internal error"
        response = problem(status, detail, headers={"Server": SERVER_NAME})
        response.force_close()
        return response
