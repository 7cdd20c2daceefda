"""GET /job/{job_id}/events: a job's changes as Server-Sent Events, until it is finished.

Each event bears the whole status and the row's version as its id, so a client
that comes back with `Last-Event-ID` misses nothing that still matters. Who does
not take an event within its deadline is cut off; nothing is kept for anybody
but the newest state, and that once for all.

The final state comes as `status` and once more as `end`. Whoever comes back behind the
final state gets `end` alone, and whoever comes back behind that gets 204: a browser that
gets it does not reconnect (HTML §9.2). No event is empty, and a ping is a comment of one line.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from time import time
from typing import Any

from aiohttp import hdrs, web

from service.api.event_stream import EventStream
from service.api.handlers.jobs import job_id_of
from service.api.job_status import JOB_STATUS_READER, RenderedStatus
from service.api.job_watch import JOB_WATCH, Watch
from service.api.middlewares.auth import PRINCIPAL
from service.api.negotiation import JSON
from service.api.openapi.operation import JOBS_TAG, NO_JOB, Answer, Content, describe
from service.api.schemas.fields import JOB_ID_EXAMPLE
from service.domain.errors import NotFound, Unauthenticated

EVENT, END = "status", "end"
ENDED = ".end"  # behind the version, in the id of an `end` that comes by itself
LAST_EVENT_ID = "Last-Event-ID"

_VERSION = re.compile(r"([0-9]{1,19})(\.end)?", re.ASCII)


# A stream is text; tools that take it apart find objects of these fields.
EVENT_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": r"^[0-9]+(\.end)?$"},
        "event": {"enum": [EVENT, END]},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
EVENTS_EXAMPLE = f'retry: 2000\nid: 7\nevent: status\ndata: {{"job_id":"{JOB_ID_EXAMPLE}", …}}\n\n'


@describe(
    name="streamJob",
    tag=JOBS_TAG,
    summary="Stream job status",
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
        204: Answer(description="The job is finished; there are no more events."),
    },
    problems={404: NO_JOB},
)
async def stream_job(request: web.Request) -> web.StreamResponse:
    """GET /job/{job_id}/events → 200, a stream; 204 if there are no more events."""
    waiting, job_id = request.app[JOB_WATCH], job_id_of(request)
    seen, has_ended = _last_event_id(request)
    with waiting.watch(request, job_id) as watch:
        shown = watch.saw(await request.app[JOB_STATUS_READER].get(job_id))
        if shown.is_final and shown.version == seen and has_ended:
            return web.Response(status=204)
        stream = EventStream(waiting.limits)
        # Gone, too slow, blocked, or the job was deleted: the stream has begun, and just ends.
        with suppress(ConnectionError, TimeoutError, NotFound, Unauthenticated):
            await stream.prepare(request)
            async with stream:
                if request.method != hdrs.METH_HEAD:
                    await _follow(watch, stream, shown, seen=seen)
        return stream


async def _follow(
    watch: Watch, stream: EventStream, shown: RenderedStatus, *, seen: int | None
) -> None:
    """Send `shown` unless it was seen, then what follows, until the job or the token ends."""
    until = asyncio.get_running_loop().time() + watch.request[PRINCIPAL].ends - time()
    newest: RenderedStatus | None = shown
    while newest is not None:
        version, data = str(newest.version), newest.body.decode()
        if newest.version != seen:
            await stream.send(data, id=version, event=EVENT)
        if newest.is_final:
            is_known = newest.version == seen
            await stream.send(data, id=f"{version}{ENDED}" if is_known else version, event=END)
            return
        newest = await watch.newer(newest, until=until)


def _last_event_id(request: web.Request) -> tuple[int | None, bool]:
    """The version that the client has seen (None: none, or nonsense), and whether `end` too."""
    match = _VERSION.fullmatch(request.headers.get(LAST_EVENT_ID, ""))
    return (int(match[1]), match[2] is not None) if match else (None, False)
