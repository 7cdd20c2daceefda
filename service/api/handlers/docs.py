"""The description of the API over HTTP: as JSON, and as a page with Swagger UI.

The page's files are ours (`web/`) and those of the package swagger-ui-py, whose
own server is for other frameworks; nothing is loaded from elsewhere.
"""

from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web

from service.api.handlers.jobs import json_response
from service.api.negotiation import is_seen
from service.api.openapi.document import description
from service.api.response_headers import PAGE_HEADERS

_OURS = Path(__file__).parents[1] / "static"
FILES = {
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_PAGE_HEADERS = {
    **PAGE_HEADERS,
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
}
_FILE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400"}


class Description:
    """The document as it is sent: built once in a process, before the first request."""

    def __init__(self) -> None:
        self.body = description()
        self.tag = blake2b(self.body, digest_size=12).hexdigest()


THE_DESCRIPTION: web.AppKey[Description] = web.AppKey("description", Description)


async def show_description(request: web.Request) -> web.Response:
    """GET /openapi.json → 200, or 304."""
    known = request.app[THE_DESCRIPTION]
    headers = {"ETag": f'"{known.tag}"', "Cache-Control": "no-cache"}
    if is_seen(request, known.tag):
        return web.Response(status=304, headers=headers)
    return json_response(known.body, headers=headers)


async def show_page(_: web.Request) -> web.StreamResponse:
    """GET /docs → 200, HTML."""
    return web.FileResponse(_OURS / "docs.html", headers=_PAGE_HEADERS)


async def show_file(request: web.Request) -> web.StreamResponse:
    """GET /docs/… → 200 with one of FILES, whose names are the only ones routed here."""
    name = request.path.rpartition("/")[2]
    folder = _OURS if name == "docs.js" else _package_files()
    headers = {**_FILE_HEADERS, "Content-Type": FILES[name]}
    return web.FileResponse(folder / name, headers=headers)


def _package_files() -> Path:
    """Where the package keeps Swagger UI; it is found, never imported."""
    found = find_spec("swagger_ui")
    assert found is not None, "installed with this service"
    assert found.origin is not None
    return Path(found.origin).parent / "static"
