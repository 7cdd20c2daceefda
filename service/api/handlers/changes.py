"""The change feed over HTTP: what changed of papers, from a token on.

What has been committed gets its place in the feed before it is read, so that a caller
whose job has completed finds its changes. Every answer leads on, an empty one too.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

import orjson
from aiohttp import web
from yarl import URL

from service.api.change_watch import CHANGE_WATCH
from service.api.handlers.jobs import DATABASE, json_response
from service.api.middlewares.auth import PRINCIPAL
from service.api.negotiation import JSON, NDJSON, preferred
from service.api.openapi.operation import (
    PAPERS_TAG,
    TEXT_SCHEMA,
    Answer,
    Content,
    describe,
)
from service.api.root_path import public_path
from service.api.schemas.changes import (
    CHANGE_EXAMPLE,
    DEFAULT_LIMIT,
    ChangeQuerySchema,
    ChangeSchema,
    change_document,
    token_of,
)
from service.api.schemas.loading import load_query
from service.api.streaming import send
from service.db.engine import Database
from service.db.paper_changes import ChangeStore
from service.domain.changes import ChangeKind, ChangePage, Feed, Place
from service.domain.errors import InvalidRequest, TokenExpired

EXPORT_CHUNK = 1000  # changes read at once
SEARCH_SECONDS = 1.0  # for changes of a rare kind; then the answer is empty and leads on
_FRESH = {"Cache-Control": "no-store", "Vary": "Accept"}

Kinds = Collection[ChangeKind]


@describe(
    name="listChanges",
    tag=PAPERS_TAG,
    summary="Follow changes of papers",
    description=(
        "What changed, in an order that stays: nothing ever appears before what was read. Go on"
        ' with `Link: rel="next"`, which every answer has; with `wait` it comes as soon as'
        f" there is a change. With `Accept: {NDJSON}` all up to the end of the feed, an object on"
        " each line (then without `limit`)."
    ),
    query=ChangeQuerySchema,
    answers={
        200: Answer(
            description="The changes; none if there is none yet.",
            content={
                JSON: Content(ChangeSchema, [CHANGE_EXAMPLE], many=True),
                NDJSON: Content(TEXT_SCHEMA, '{"token":"…","kind":"created", …}\n'),
            },
            headers=("Link", "Vary"),
        )
    },
    problems={
        406: "None of the media types in Accept is available at this path",
        410: "The token is older than what is kept of the feed",
    },
)
async def list_changes(request: web.Request) -> web.StreamResponse:
    """GET /papers/changes → 200 with what follows the token, when it is there or `wait` is over."""
    query = load_query(ChangeQuerySchema(), request.query)
    is_export = preferred(request, (JSON, NDJSON)) == NDJSON
    if is_export and "limit" in query:
        raise InvalidRequest({"limit": ["Must not be given with NDJSON, which has no pages."]})
    database, kinds = request.app[DATABASE], query.get("kind", ())
    limit = query.get("limit", DEFAULT_LIMIT)
    await _order(database)
    after = await _beginning(database, query)
    page = await _waited(request, after, limit=limit, kinds=kinds, seconds=query["wait"])
    if is_export:
        return await _export(request, after, kinds)
    headers = {**_FRESH, **_next_link(request, page.end)}
    return json_response([change_document(one) for one in page.changes], headers=headers)


async def _order(database: Database) -> None:
    async with database.transaction() as conn:
        await ChangeStore(conn).order()


async def _beginning(database: Database, query: Mapping[str, Any]) -> Place:
    """The place behind which to read; raises what `_require_held` raises."""
    async with database.transaction() as conn:
        store = ChangeStore(conn)
        feed = await store.feed()
        if "after" not in query:
            return feed.trimmed
        if query["after"] is None:
            return await store.tail()
    after: Place = query["after"]
    _require_held(after, feed)
    return after


def _require_held(after: Place, feed: Feed) -> None:
    """Raise TokenExpired when retention has removed what follows, InvalidRequest for no token.

    That is one of a place that this feed never had; a standby may not have it yet.
    """
    if after < feed.trimmed:
        raise TokenExpired("The token is older than what is kept of the feed")
    if after.position > feed.last_position and not feed.is_behind:
        raise InvalidRequest({"after": ["Not a token of the change feed."]})


async def _waited(
    request: web.Request, after: Place, *, limit: int, kinds: Kinds, seconds: int
) -> ChangePage:
    """The page behind `after`; while there is nothing, wait where there is room to wait."""
    database, waiting = request.app[DATABASE], request.app[CHANGE_WATCH]
    if not seconds or not waiting.has_room(request[PRINCIPAL].caller):
        return await _read(database, after, limit=limit, kinds=kinds)
    until = asyncio.get_running_loop().time() + seconds
    with waiting.watch(request) as watcher:  # before the read, so that no change is missed
        page = await _read(database, after, limit=limit, kinds=kinds)
        while not page.changes and (not page.is_last or await watcher.more(until=until)):
            page = await _read(database, page.end, limit=limit, kinds=kinds)
    return page


async def _read(database: Database, after: Place, *, limit: int, kinds: Kinds) -> ChangePage:
    """The changes behind `after`; of rare kinds as far as they are found in a while."""
    clock = asyncio.get_running_loop().time
    until = clock() + SEARCH_SECONDS
    while True:
        async with database.transaction() as conn:
            store = ChangeStore(conn)
            page = await store.page(after, limit=limit, kinds=kinds)
            feed = await store.feed()  # behind the page, lest it was trimmed meanwhile
        if after < feed.trimmed:
            raise TokenExpired("The token is older than what is kept of the feed")
        if page.changes or page.is_last or clock() >= until:
            return page
        after = page.end


async def _export(request: web.Request, after: Place, kinds: Kinds) -> web.StreamResponse:
    database = request.app[DATABASE]
    async with database.transaction() as conn:
        end = max(after, await ChangeStore(conn).tail())
    headers = {
        "Content-Type": NDJSON,
        "X-Content-Type-Options": "nosniff",
        **_FRESH,
        **_next_link(request, end),
    }
    lines = _lines(database, after, end, kinds)
    return await send(request, web.StreamResponse(headers=headers), lines)


async def _lines(
    database: Database, after: Place, end: Place, kinds: Kinds
) -> AsyncGenerator[bytes]:
    """All changes up to `end`, a line for each; no connection is held between two pieces."""
    while after < end:
        page = await _read(database, after, limit=EXPORT_CHUNK, kinds=kinds)
        yield b"".join(
            orjson.dumps(change_document(one), option=orjson.OPT_APPEND_NEWLINE)
            for one in page.changes
            if one.place <= end
        )
        if page.is_last:
            return
        after = page.end


def _next_link(request: web.Request, place: Place) -> dict[str, str]:
    url: URL = request.rel_url.update_query(after=token_of(place))
    return {"Link": f'<{public_path(request.app, url)}>; rel="next"'}
