"""Static pages and assets: the operators' page, and Swagger UI.

Ours lie in `api/static`; Swagger UI's come from the package swagger-ui-py, whose own
server is for other frameworks. The pages hold no data and are public; nothing that they
load is from elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from service.api.openapi.operation import (
    DESCRIPTION_TAG,
    NOT_MODIFIED,
    OPERATIONS_TAG,
    TEXT_SCHEMA,
    Answer,
    Content,
    describe,
    file_answer,
)
from service.api.response_headers import PAGE_HEADERS
from service.domain.errors import NotFound

STATIC = Path(__file__).parents[1] / "static"
_OF_PACKAGE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file at one path; `name` is that of its operation in the API description."""

    path: str
    name: str
    tag: str
    kind: str
    summary: str
    description: str
    example: str
    is_of_package: bool = False

    @property
    def content_type(self) -> str:
        """The Content-Type that it is sent with."""
        return f"{self.kind}; charset=utf-8" if self.kind.startswith("text/") else self.kind

    @property
    def file(self) -> Path:
        """Where it lies; `/ops` is `ops.html`."""
        name = self.path.rpartition("/")[2]
        folder = _swagger_ui() if self.is_of_package else STATIC
        return folder / (name if "." in name else f"{name}.html")

    def handler(self) -> Handler:
        """Answers GET with 200, or 304 if the client has it."""
        headers = {**PAGE_HEADERS, "Cache-Control": "no-cache"}
        headers = _OF_PACKAGE if self.is_of_package else headers
        headers = {**headers, "Content-Type": self.content_type}

        @describe(
            name=self.name,
            tag=self.tag,
            summary=self.summary,
            description=self.description,
            is_public=True,
            headers=("If-None-Match",),
            answers={
                200: file_answer(
                    self.kind,
                    description=f"{self.summary}.",
                    example=self.example,
                    headers=("ETag",),
                ),
                304: NOT_MODIFIED,
            },
        )
        async def show(_: web.Request) -> web.StreamResponse:
            return web.FileResponse(self.file, headers=headers)

        return show


STATIC_FILES = (
    StaticFile(
        path="/ops",
        name="showOps",
        tag=OPERATIONS_TAG,
        kind="text/html",
        summary="The operators' page",
        description="HTML without data; its script reads the API with a token.",
        example="<!doctype html>…",
    ),
    StaticFile(
        path="/docs",
        name="showDocs",
        tag=DESCRIPTION_TAG,
        kind="text/html",
        summary="API documentation (Swagger UI)",
        description="Swagger UI, which shows this document and sends requests with your token.",
        example="<!doctype html>…",
    ),
    StaticFile(
        path="/docs/docs.js",
        name="showDocsScript",
        tag=DESCRIPTION_TAG,
        kind="text/javascript",
        summary="Start script of Swagger UI",
        description="Starts Swagger UI on the page.",
        example='"use strict";',
    ),
    StaticFile(
        path="/docs/swagger-ui-bundle.js",
        name="showSwaggerScript",
        tag=DESCRIPTION_TAG,
        kind="text/javascript",
        summary="Swagger UI",
        description="The script of Swagger UI.",
        example="!function () { … }();",
        is_of_package=True,
    ),
    StaticFile(
        path="/docs/swagger-ui.css",
        name="showSwaggerStyle",
        tag=DESCRIPTION_TAG,
        kind="text/css",
        summary="Style sheet of Swagger UI",
        description="The style of Swagger UI.",
        example=".swagger-ui { … }",
        is_of_package=True,
    ),
    StaticFile(
        path="/docs/favicon-32x32.png",
        name="showSwaggerIcon",
        tag=DESCRIPTION_TAG,
        kind="image/png",
        summary="Icon of Swagger UI",
        description="The icon of the page.",
        example="\u2026",
        is_of_package=True,
    ),
)


OPS_FILES = STATIC / "ops"
_KINDS = {".css": "text/css", ".js": "text/javascript"}


@describe(
    name="showOpsFile",
    tag=OPERATIONS_TAG,
    summary="A file of the operators' page",
    description="Its style sheet, or one of the modules of its script.",
    is_public=True,
    headers=("If-None-Match",),
    answers={
        200: Answer(
            description="The file.",
            content={kind: Content(TEXT_SCHEMA, "…") for kind in _KINDS.values()},
            headers=("ETag",),
        ),
        304: NOT_MODIFIED,
    },
    problems={404: "Route not found"},
)
async def show_ops_file(request: web.Request) -> web.StreamResponse:
    """GET /ops/{file} → 200, or 304 if the client has it."""
    name = request.match_info["file"]
    if name not in _ops_files():
        raise NotFound("Route not found", code="route_not_found")
    file = OPS_FILES / name
    headers = {**PAGE_HEADERS, "Cache-Control": "no-cache"}
    headers["Content-Type"] = f"{_KINDS[file.suffix]}; charset=utf-8"
    return web.FileResponse(file, headers=headers)


@cache
def _ops_files() -> frozenset[str]:
    return frozenset(file.name for file in OPS_FILES.iterdir() if file.suffix in _KINDS)


def static_routes() -> Iterator[tuple[str, Handler]]:
    """Path and handler of each."""
    return ((file.path, file.handler()) for file in STATIC_FILES)


def _swagger_ui() -> Path:
    """Where the package keeps Swagger UI; it is found, never imported."""
    found = find_spec("swagger_ui")
    assert found is not None, "installed with this service"
    assert found.origin is not None
    return Path(found.origin).parent / "static"
