"""GET /jobs/events and /fleet/events: what the operators' page shows, as Server-Sent Events.

All that a view consists of comes first, as `snapshot`; after that only the pieces that changed,
as `changed`, and every few seconds without a change `confirmed`: what was sent is what there is.
While the view cannot be read there is `failed`, once; what follows it tells that it can again.
Nothing is resumed: who comes back gets the whole once more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import time
from typing import Any

import orjson
from aiohttp import hdrs, web

from service.api.callbacks import WEBHOOKS
from service.api.event_stream import EventStream
from service.api.handlers.fleet import fleet_document
from service.api.handlers.health import READINESS
from service.api.handlers.job_lists import Terms, cursor_behind, detailed, find_jobs, terms_of
from service.api.handlers.jobs import DATABASE
from service.api.handlers.ops import overview_document
from service.api.handlers.schedules import schedule_document
from service.api.handlers.stats import STATS
from service.api.handlers.webhooks import delivery_document, webhook_document
from service.api.job_status import status_document, to_iso8601
from service.api.middlewares.auth import PRINCIPAL
from service.api.negotiation import JSON, applied, preferred_wait
from service.api.openapi.operation import JOBS_TAG, OPERATIONS_TAG, Answer, Content, describe
from service.api.schemas.coverage import coverage_document
from service.api.schemas.fleet import FleetEventsQuerySchema
from service.api.schemas.job_list_query import JobsQuerySchema
from service.api.schemas.loading import load_query
from service.api.view_watch import VIEW_WATCH, Look, Snapshot, Viewer
from service.db.coverage import CoverageStore
from service.db.job_rows import to_job
from service.db.schedules import ScheduleStore
from service.db.webhook_deliveries import DeliveryStore
from service.db.webhooks import WebhookStore
from service.domain.errors import Unauthenticated

SNAPSHOT, CHANGED, CONFIRMED, FAILED = "snapshot", "changed", "confirmed", "failed"
ROWS = 1000  # of schedules and of webhooks
DELIVERIES = 20
LARGE_PAGE = 20  # jobs; each may carry a hundred errors, twice

# of the overview, what the page has from elsewhere or what moves by itself
_LEFT_OUT = ("at", "jobs")

VIEW_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": [SNAPSHOT, CHANGED, CONFIRMED, FAILED]},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
VIEW_EXAMPLE = (
    'retry: 2000\nevent: snapshot\ndata: {"at":"2026-11-30T10:50:00Z","pieces":{…}}\n\n'
    'event: confirmed\ndata: {"at":"2026-11-30T10:50:05Z"}\n\n'
)
_SAID = (
    " `snapshot` has all pieces, `changed` those that are not as they were (null: gone),"
    " `confirmed` none; `failed` says in `code` and `detail` why they cannot be read now. Until"
    " the token expires, the process stops, or the seconds of `Prefer: wait=N` are over; 503"
    " where there are too many viewers: poll."
)


def _stream_answer() -> dict[int, Answer]:
    content = {"text/event-stream": Content(VIEW_SCHEMA, VIEW_EXAMPLE)}
    return {200: Answer(description="The stream.", content=content)}


@describe(
    name="streamJobs",
    tag=JOBS_TAG,
    summary="Stream a list of jobs",
    description=(
        "The page that `listJobs` gives for the same parameters, as Server-Sent Events. A piece"
        " is a job, by its id, or `page`: `order` of the ids, and `next`, the cursor behind them."
        + _SAID
    ),
    query=JobsQuerySchema,
    headers=("Prefer",),
    answers=_stream_answer(),
)
async def stream_jobs(request: web.Request) -> web.StreamResponse:
    """GET /jobs/events → 200, a stream."""
    query = load_query(JobsQuerySchema(), request.query)
    app, terms = request.app, terms_of(query)
    return await _stream(
        request, ("jobs", *sorted(request.query.items())), lambda: _look_at_jobs(app, query, terms)
    )


@describe(
    name="streamFleet",
    tag=OPERATIONS_TAG,
    summary="Stream the state of the fleet",
    description=(
        "What `getFleet`, `getOverview`, `getStats`, `getCoverage`, `listSchedules`,"
        " `listWebhooks` and `listDeliveries` tell, as Server-Sent Events. A piece is named"
        " after its origin, as in `fleet.workers`." + _SAID
    ),
    query=FleetEventsQuerySchema,
    headers=("Prefer",),
    answers=_stream_answer(),
)
async def stream_fleet(request: web.Request) -> web.StreamResponse:
    """GET /fleet/events → 200, a stream."""
    audited = load_query(FleetEventsQuerySchema(), request.query).get("set", "")
    app = request.app
    return await _stream(request, ("fleet", audited), lambda: _look_at_fleet(app, audited))


async def _stream(
    request: web.Request, key: Hashable, read: Callable[[], Awaitable[Look]]
) -> web.StreamResponse:
    watch = request.app[VIEW_WATCH]
    async with watch.watch(request, key, read) as viewer:
        shown = await viewer.first()
        stream = EventStream(watch.limits)
        if (wait := preferred_wait(request)) is not None:
            stream.headers.update(applied(wait))
        # Gone, too slow, or blocked: the stream has begun, and just ends.
        with suppress(ConnectionError, TimeoutError, Unauthenticated):
            await stream.prepare(request)
            async with stream:
                if request.method != hdrs.METH_HEAD:
                    await _follow(viewer, stream, shown, watch.limits.confirm.total_seconds())
        return stream


async def _follow(viewer: Viewer, stream: EventStream, shown: Snapshot, confirm: float) -> None:
    """Send `shown`, then what changes, until the token or the time that is preferred ends."""
    loop = asyncio.get_running_loop()
    seconds = viewer.request[PRINCIPAL].ends - time()
    wait = preferred_wait(viewer.request)
    until = loop.time() + (seconds if wait is None else min(seconds, wait.total_seconds()))
    await stream.send(_told(shown.at, b"pieces", _object(shown.pieces)), event=SNAPSHOT)
    while loop.time() < until:
        newest = await viewer.newer(shown, until=min(until, loop.time() + confirm))
        if newest is None:
            return
        if newest.failure is not None:
            if newest is not shown:
                why = orjson.dumps({"code": newest.failure.code, "detail": str(newest.failure)})
                await stream.send(_told(newest.at, b"problem", why), event=FAILED)
        elif changes := newest.changes_since(shown):
            await stream.send(_told(newest.at, b"pieces", _object(changes)), event=CHANGED)
        else:
            await stream.send(_told(newest.at), event=CONFIRMED)
        shown = newest


def _told(at: datetime, name: bytes = b"", value: bytes = b"") -> str:
    """The data of an event; `value` is JSON."""
    members = {"at": orjson.dumps(to_iso8601(at)), **({name.decode(): value} if name else {})}
    return _object(members).decode()


def _object(members: Mapping[str, bytes]) -> bytes:
    """A JSON object of values that are JSON."""
    return b"{%b}" % b",".join(orjson.dumps(name) + b":" + each for name, each in members.items())


def _nested(name: str, document: Mapping[str, Any]) -> dict[str, bytes]:
    return {f"{name}.{key}": orjson.dumps(value) for key, value in document.items()}


async def _readiness(app: web.Application) -> dict[str, bytes]:
    readiness = app[READINESS]
    missing = await readiness.missing()
    return _nested("readiness", {"missing": missing, "warnings": readiness.warnings()})


async def _look_at_jobs(app: web.Application, query: dict[str, Any], terms: Terms) -> Look:
    at = datetime.now(UTC)
    async with app[DATABASE].transaction() as conn:
        page = await find_jobs(conn, query, terms, limit=query["limit"])
    shown = detailed if query["details"] else status_document

    def dumped() -> dict[str, bytes]:
        jobs = [to_job(row) for row in page.rows]
        order = {
            "order": [str(job.id) for job in jobs],
            "next": cursor_behind(page, query) if page.has_more else None,
        }
        return {
            **{str(job.id): orjson.dumps(shown(job)) for job in jobs},
            "page": orjson.dumps(order),
        }

    is_large = len(page.rows) > LARGE_PAGE
    pieces = await asyncio.to_thread(dumped) if is_large else dumped()
    return Look(at, {**pieces, **await _readiness(app)})


async def _look_at_fleet(app: web.Application, audited: str) -> Look:
    at = datetime.now(UTC)
    overview = await overview_document(app)
    fleet, stats = await fleet_document(app), await app[STATS].document()
    async with app[DATABASE].transaction() as conn:
        days = await CoverageStore(conn).list_days(audited, None, None)
        found = await ScheduleStore(conn).list_all(limit=ROWS, after="")
        rows = {"schedules": [schedule_document(row) for row in found]}
        if WEBHOOKS in app:
            webhooks = await WebhookStore(conn).list_page(limit=ROWS, after=None)
            deliveries = await DeliveryStore(conn).list_page({}, limit=DELIVERIES, before=None)
            rows["webhooks"] = [webhook_document(row) for row in webhooks]
            rows["deliveries"] = [delivery_document(row) for row in deliveries]
    pieces = {
        **_nested("overview", {k: v for k, v in overview.items() if k not in _LEFT_OUT}),
        **_nested("fleet", {k: v for k, v in fleet.items() if k != "at"}),
        **_nested("stats", {k: v for k, v in stats.items() if k != "as_of"}),
        "coverage": orjson.dumps(coverage_document(audited, None, None, days)),
        **{name: orjson.dumps(each) for name, each in rows.items()},
        **await _readiness(app),
    }
    return Look(at, pieces)
