"""The client against the real application, and against a server that misbehaves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from arxiv_ingestion_client import IngestionClient

from tests.api.conftest import api, api_database, serve, store, token
from tests.api.test_paper_files import keep

__all__ = ["api", "api_database", "keep", "serve", "store"]

MAX_WAIT = timedelta(seconds=5)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def document(status="running", **more):
    return {"job_id": "1", "status": status, "progress": {}, "stats": {}, **more}


def reply(body, **more):
    """What makes the answer: a response can be sent once only."""
    return partial(web.json_response, body, **more)


def problem(status, detail="Not now", *, headers=None, **more):
    body = {"title": "Title", "status": status, "detail": detail, **more}
    kind = "application/problem+json"
    return reply(body, status=status, headers=headers, content_type=kind)


@asynccontextmanager
async def misbehaving(handler: Handler, **options) -> AsyncIterator[IngestionClient]:
    """A client of a server in which `handler` answers everything."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with (
        TestServer(app) as server,
        IngestionClient(
            str(server.make_url("/")), "t0ken", **{"patience": MAX_WAIT, **options}
        ) as client,
    ):
        yield client


@asynccontextmanager
async def answering(*answers, **options):
    """A client of a server that gives `answers` in turn, and the requests that came."""
    left, seen = list(answers), []

    async def handler(request):
        await request.read()
        seen.append(request)
        answer = left.pop(0)
        if answer is None:
            request.transport.close()
            return web.Response()
        return answer()

    async with misbehaving(handler, **options) as client:
        yield client, seen


@pytest.fixture
async def client(api: TestClient) -> AsyncIterator[IngestionClient]:
    """A client of the real application."""
    async with IngestionClient(str(api.make_url("")), token(), patience=MAX_WAIT) as client:
        yield client
