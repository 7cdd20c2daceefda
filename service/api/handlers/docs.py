"""GET /openapi.json: the OpenAPI description of the API."""

import asyncio
from dataclasses import dataclass
from hashlib import blake2b

from aiohttp import web

from service.api.handlers.jobs import json_response
from service.api.negotiation import JSON, is_seen
from service.api.openapi.document import description
from service.api.openapi.operation import (
    DESCRIPTION_TAG,
    NOT_MODIFIED,
    Answer,
    Content,
    describe,
    operations_of,
)
from service.api.root_path import ROOT_PATH, public_path


@dataclass(frozen=True, slots=True)
class Rendered:
    """The document as it is sent, and its tag."""

    body: bytes
    tag: str


class Description:
    """The document of an application: built when it is first asked for, then kept.

    Building takes a tenth of a second of the processor, so it is done in a thread; most
    processes are never asked. Who asks meanwhile waits for the same one.
    """

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._building = asyncio.Lock()
        self._rendered: Rendered | None = None

    async def get(self) -> Rendered:
        """The document; the same object from the first time on."""
        async with self._building:
            if self._rendered is None:
                self._rendered = await asyncio.to_thread(self._build)
            return self._rendered

    def _build(self) -> Rendered:
        operations = tuple(operations_of(self._app))
        body = description(operations, root_path=self._app.get(ROOT_PATH, ""))
        return Rendered(body, blake2b(body, digest_size=12).hexdigest())


THE_DESCRIPTION: web.AppKey[Description] = web.AppKey("description", Description)


@describe(
    name="getDescription",
    tag=DESCRIPTION_TAG,
    summary="OpenAPI description",
    description="The description of the API, as OpenAPI 3.1.",
    is_public=True,
    headers=("If-None-Match",),
    answers={
        200: Answer(
            description="The document.",
            content={
                JSON: Content(
                    {"type": "object", "required": ["openapi", "info", "paths"]},
                    {"openapi": "3.1.0", "info": {"title": "…", "version": "…"}, "paths": {}},
                )
            },
            headers=("ETag",),
        ),
        304: NOT_MODIFIED,
    },
)
async def show_description(request: web.Request) -> web.Response:
    """GET /openapi.json → 200, or 304."""
    known = await request.app[THE_DESCRIPTION].get()
    headers = {"ETag": f'"{known.tag}"', "Cache-Control": "no-cache"}
    if is_seen(request, known.tag):
        return web.Response(status=304, headers=headers)
    return json_response(known.body, headers=headers)


@describe(
    name="showRoot",
    tag=DESCRIPTION_TAG,
    summary="Redirect to the documentation",
    description="A redirect to `/docs`.",
    is_public=True,
    answers={302: Answer(description="To `/docs`.", headers=("Location",))},
)
async def lead_to_docs(request: web.Request) -> web.Response:
    """GET / → 302 to /docs."""
    location = public_path(request.app, "/docs")
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-cache"})
