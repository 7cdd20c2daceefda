"""Every URL on one screen."""

from aiohttp import web

from service.api import health, job_lists, jobs

INGESTION = "/api/v1/ingestion"

# No token is asked for here; compared exactly, never by pattern.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})


def add_routes(app: web.Application) -> None:
    """Register all routes; names are used to build URLs and by the problems middleware."""
    job = app.router.add_resource(f"{INGESTION}/job/{{job_id:[^/]+}}", name="job")
    job.add_route("GET", jobs.get_job)
    job.add_route("HEAD", jobs.get_job)
    job.add_route("DELETE", jobs.cancel_job)
    app.router.add_post(f"{INGESTION}/job/{{job_id:[^/]+}}/retry", jobs.retry_job)
    app.router.add_get(f"{INGESTION}/job/{{job_id:[^/]+}}/papers", job_lists.list_papers)
    app.router.add_post(f"{INGESTION}/arxiv", jobs.create_job)
    app.router.add_get(f"{INGESTION}/jobs", job_lists.list_jobs)
    app.router.add_get("/healthz", health.live)
    app.router.add_get("/readyz", health.ready)
