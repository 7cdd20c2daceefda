"""The timeline of a job over HTTP: what happened in order, or its throughput over time."""

from collections.abc import Iterator
from typing import Any

from aiohttp import web

from service.api.handlers.jobs import DATABASE, job_id_of, json_response
from service.api.job_status import to_iso8601
from service.api.openapi.operation import JOBS_TAG, NO_JOB, describe, page_answer
from service.api.pagination import Listed, next_link
from service.api.schemas.loading import load_query
from service.api.schemas.timeline import (
    JOB_EVENT_EXAMPLE,
    JOB_EVENTS,
    JobEventSchema,
    JobThroughputSchema,
    TimelineQuerySchema,
)
from service.db.job_events import JobEventStore
from service.db.jobs import JobStore
from service.domain.job_events import JobEvent, JobEventKind, Throughput


@describe(
    name="getJobTimeline",
    tag=JOBS_TAG,
    summary="Get the timeline of a job",
    description=(
        "What happened to it, in order and in pages: created, started, pages stored, waits with"
        " their reasons, finished, callbacks. Beyond the 500th, several pages (or waits) share"
        " one event. With `series=throughput` an object: papers and PDFs in each interval from"
        " the start to the end, or to now."
    ),
    query=TimelineQuerySchema,
    answers={200: page_answer(JobEventSchema, JOB_EVENT_EXAMPLE, or_one=JobThroughputSchema)},
    problems={404: NO_JOB},
)
async def show_timeline(request: web.Request) -> web.Response:
    """GET /job/{job_id}/timeline → 200 with events, or with the throughput."""
    job_id = job_id_of(request)
    wanted = load_query(TimelineQuerySchema(), request.query)
    limit, (after,) = wanted["limit"], wanted.get("cursor", (0,))
    async with request.app[DATABASE].transaction() as conn:
        store = JobEventStore(conn)
        if "series" in wanted:
            return json_response(_throughput_document(await store.throughput(job_id)))
        await JobStore(conn).requested_by(job_id)  # for its 404
        found = await store.list_page(job_id, limit=limit + 1, after=after)
    page = Listed.of(found, limit=limit)
    headers = next_link(request, JOB_EVENTS.write(page.rows[-1].id)) if page.has_more else {}
    return json_response([_event_document(one) for one in page.rows], headers=headers)


def _event_document(event: JobEvent) -> dict[str, Any]:
    return {"at": to_iso8601(event.at), "event": event.kind, **dict(_details(event))}


def _details(event: JobEvent) -> Iterator[tuple[str, Any]]:
    """What belongs to an event of its kind."""
    is_page = event.kind is JobEventKind.PAGE
    if is_page:
        yield from (("page", event.number), ("papers_fetched", event.papers_fetched))
    if event.kind is JobEventKind.WAITING:
        yield "reason", event.reason
    if event.times > 1:
        yield "times", event.times
    if event.kind is JobEventKind.WAITING or (is_page and event.times > 1):
        yield "ended_at", to_iso8601(event.ended_at)
    if event.kind in (JobEventKind.FINISHED, JobEventKind.CALLBACK):
        yield "status", event.status
    if event.kind is JobEventKind.CALLBACK:
        yield from (("webhook_id", event.webhook_id), ("attempt", event.attempt))
        yield from (("http_status", event.http_status), ("error", event.error))


def _throughput_document(found: Throughput) -> dict[str, Any]:
    points = [
        {"at": to_iso8601(one.at), "papers": one.papers, "pdfs": one.pdfs} for one in found.points
    ]
    return {"interval_seconds": found.interval_seconds, "points": points}
