"""A job's changes as Server-Sent Events, until it is final.

Each event bears the whole status and the row's version as its id, so a client
that comes back with `Last-Event-ID` misses nothing that still matters. Who does
not take an event within its deadline is cut off; nothing is kept for anybody
but the newest state, and that once for all.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from time import time
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from service.api.handlers.jobs import job_id_of
from service.api.job_status import JOB_STATUS_READER, RenderedStatus
from service.api.job_watch import JOB_WATCH, Watch, WatchLimits
from service.api.middlewares.auth import PRINCIPAL
from service.api.negotiation import JSON
from service.api.openapi.operation import JOBS_TAG, NO_JOB, Answer, Content, describe
from service.api.schemas.fields import JOB_ID_EXAMPLE
from service.domain.errors import NotFound, Unauthenticated

EVENT = "status"
COME_BACK = b"retry: 2000\n\n"  # milliseconds until a client that lost its stream tries again
LAST_EVENT_ID = "Last-Event-ID"

_VERSION = re.compile(r"[0-9]{1,19}", re.ASCII)


# A stream is text; tools that take it apart find objects of these fields.
EVENT_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"const": EVENT},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
EVENTS_EXAMPLE = (
    f'retry: 2000\n\nid: 7\nevent: status\ndata: {{"job_id":"{JOB_ID_EXAMPLE}", …}}\n\n'
)


@describe(
    name="streamJob",
    tag=JOBS_TAG,
    summary="Follow a job",
    description=(
        "Server-Sent Events named `status`: the state now, then every change, until the job is"
        " final, the token expires or the process stops. Their data is the status as JSON,"
        " their id the number in its ETag; `Last-Event-ID` resumes behind it."
    ),
    headers=("Last-Event-ID",),
    answers={
        200: Answer(
            description="The stream.",
            content={"text/event-stream": Content(EVENT_SCHEMA, EVENTS_EXAMPLE)},
        ),
        204: Answer(description="Nothing is left to come."),
    },
    problems={404: NO_JOB},
)
async def stream_job(request: web.Request) -> web.StreamResponse:
    """GET /job/{job_id}/events → 200, a stream; 204 if nothing is left to come."""
    waiting, job_id, seen = request.app[JOB_WATCH], job_id_of(request), _last_event_id(request)
    with waiting.watch(request, job_id) as watch:
        shown = watch.saw(await request.app[JOB_STATUS_READER].get(job_id))
        if shown.is_final and shown.version == seen:
            return web.Response(status=204)  # a browser that gets it stays away (HTML §9.2)
        stream = _Stream(waiting.limits)
        # Gone, too slow, blocked, or the job was deleted: the stream has begun, and just ends.
        with suppress(ConnectionError, TimeoutError, NotFound, Unauthenticated):
            await stream.prepare(request)
            async with stream:
                if request.method != hdrs.METH_HEAD:
                    await stream.write(COME_BACK)
                    await _follow(watch, stream, shown, seen=seen)
        return stream


async def _follow(
    watch: Watch, stream: "_Stream", shown: RenderedStatus, *, seen: int | None
) -> None:
    """Send `shown` unless it was seen, then what follows, until the job or the token ends."""
    until = asyncio.get_running_loop().time() + watch.request[PRINCIPAL].ends - time()
    newest: RenderedStatus | None = shown
    while newest is not None:
        if newest.version != seen:
            await stream.send(newest.body.decode(), id=str(newest.version), event=EVENT)
        if newest.is_final:
            return
        newest = await watch.newer(newest, until=until)


class _Stream(EventSourceResponse):
    """The library's response, which waits after each write until the client has taken it."""

    def __init__(self, limits: WatchLimits) -> None:
        super().__init__(
            headers={"X-Content-Type-Options": "nosniff"},
            allow_all_methods=True,
            send_timeout=limits.send.total_seconds(),
            ping_interval=limits.heartbeat.total_seconds(),
        )
        self.headers[hdrs.CACHE_CONTROL] = "no-store"
        self._writer: AbstractStreamWriter | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head."""
        self._writer = await super().prepare(request)
        return self._writer

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`; aiohttp alone would let 64 KiB pile up before it waits."""
        await super().write(data)
        if self._writer is not None:
            await self._writer.drain()


def _last_event_id(request: web.Request) -> int | None:
    """The version that the client has seen; None if it says none, or nonsense."""
    text = request.headers.get(LAST_EVENT_ID, "")
    return int(text) if _VERSION.fullmatch(text) else None
