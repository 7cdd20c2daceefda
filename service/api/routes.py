"""Route table: every URL on one screen."""

from aiohttp import web

from service.api.handlers import (
    changes,
    coverage,
    docs,
    documents,
    fleet,
    health,
    job_errors,
    job_events,
    job_lists,
    job_timeline,
    jobs,
    metrics,
    ops,
    paper_files,
    papers,
    problem_pages,
    schedules,
    stats,
    versions,
    view_events,
    webhooks,
)
from service.api.handlers.static_files import STATIC_FILES, show_ops_file, static_routes

INGESTION = "/api/v1/ingestion"
PAPERS = "/api/v1/papers"
COVERAGE = "/api/v1/coverage"
SCHEDULES = "/api/v1/schedules"
ARXIV = "/api/v1/arxiv"
WEBHOOKS = "/api/v1/webhooks"

# No token is asked for here; compared exactly, never by pattern.
PROBLEMS, OPS_FILES = "/problems/", "/ops/"
PUBLIC_PATHS = frozenset(
    {
        *("/healthz", "/readyz", "/metrics"),
        *("/", "/openapi.json"),
        *(file.path for file in STATIC_FILES),
    }
)


def is_public(path: str) -> bool:
    """Whether `path` is answered without a token."""
    return path in PUBLIC_PATHS or path.startswith((PROBLEMS, OPS_FILES))


def status_route(app: web.Application) -> web.AbstractRoute:
    """The route by which the status of a job is read."""
    return next(route for route in app.router["job"] if route.method == "GET")


def add_routes(app: web.Application) -> None:
    """Register all routes; names are used to build URLs and by the problems middleware."""
    job = app.router.add_resource(f"{INGESTION}/job/{{job_id:[^/]+}}", name="job")
    job.add_route("GET", jobs.get_job)
    job.add_route("HEAD", jobs.get_job)
    job.add_route("DELETE", jobs.cancel_job)
    app.router.add_post(f"{INGESTION}/job/{{job_id:[^/]+}}/retry", jobs.retry_job)
    app.router.add_get(f"{INGESTION}/job/{{job_id:[^/]+}}/papers", job_lists.list_papers)
    app.router.add_get(f"{INGESTION}/job/{{job_id:[^/]+}}/errors", job_errors.list_errors)
    app.router.add_get(f"{INGESTION}/job/{{job_id:[^/]+}}/timeline", job_timeline.show_timeline)
    app.router.add_get(
        f"{INGESTION}/job/{{job_id:[^/]+}}/events", job_events.stream_job, name="events"
    )
    app.router.add_post(f"{INGESTION}/arxiv", jobs.create_job)
    app.router.add_get(f"{INGESTION}/jobs", job_lists.list_jobs)
    app.router.add_get(f"{INGESTION}/jobs/events", view_events.stream_jobs)
    app.router.add_get(f"{INGESTION}/stats", stats.get_stats)
    app.router.add_get(PAPERS, papers.list_papers)
    app.router.add_get(f"{PAPERS}/changes", changes.list_changes)  # before those of any id
    # an old-style id has a slash of its own, so these come before the one that ends in the id
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}/pdf", paper_files.get_pdf)
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}/text", paper_files.get_text)
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}/versions", versions.list_versions)
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}/document", documents.get_document)
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}/references", documents.list_references)
    app.router.add_get(f"{PAPERS}/{{arxiv_id:.+}}", papers.get_paper)
    app.router.add_get(COVERAGE, coverage.get_coverage)
    app.router.add_get("/healthz", health.live)
    app.router.add_get("/readyz", health.ready)
    schedule = app.router.add_resource(f"{SCHEDULES}/{{schedule_id:[^/]+}}", name="schedule")
    schedule.add_route("GET", schedules.get_schedule)
    schedule.add_route("HEAD", schedules.get_schedule)
    schedule.add_route("PATCH", schedules.change)
    schedule.add_route("DELETE", schedules.remove)
    app.router.add_post(f"{SCHEDULES}/{{schedule_id:[^/]+}}/run", schedules.run)
    app.router.add_get(f"{SCHEDULES}/{{schedule_id:[^/]+}}/jobs", schedules.list_jobs)
    app.router.add_post(SCHEDULES, schedules.add)
    app.router.add_get(SCHEDULES, schedules.list_schedules)
    _add_webhooks(app)
    app.router.add_get("/metrics", metrics.show_metrics)
    app.router.add_get(f"{INGESTION}/overview", ops.overview)
    app.router.add_get("/api/v1/fleet", fleet.show_fleet)
    app.router.add_get("/api/v1/fleet/events", view_events.stream_fleet)
    app.router.add_post(f"{ARXIV}/pause", fleet.pause)
    app.router.add_post(f"{ARXIV}/resume", fleet.resume)
    app.router.add_get("/openapi.json", docs.show_description)
    app.router.add_get(f"{PROBLEMS}{{code:[^/]+}}", problem_pages.show_problem)
    app.router.add_get(f"{OPS_FILES}{{file:[^/]+}}", show_ops_file)
    app.router.add_get("/", docs.lead_to_docs)
    for path, handler in static_routes():
        app.router.add_get(path, handler)


def _add_webhooks(app: web.Application) -> None:
    # before the one whose path ends in any id
    app.router.add_get(f"{WEBHOOKS}/deliveries", webhooks.list_deliveries)
    app.router.add_post(
        f"{WEBHOOKS}/deliveries/{{delivery_id:[^/]+}}/resend", webhooks.resend_delivery
    )
    webhook = app.router.add_resource(
        f"{WEBHOOKS}/{{webhook_id:(?!deliveries$)[^/]+}}", name="webhook"
    )
    webhook.add_route("GET", webhooks.get_webhook)
    webhook.add_route("HEAD", webhooks.get_webhook)
    webhook.add_route("PATCH", webhooks.change)
    webhook.add_route("DELETE", webhooks.remove)
    app.router.add_post(WEBHOOKS, webhooks.add)
    app.router.add_get(WEBHOOKS, webhooks.list_webhooks)
