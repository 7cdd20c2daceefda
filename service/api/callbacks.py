"""Callbacks: whether they are on, which URLs they may go to, and what is sent."""

from aiohttp import web

from service.api.job_status import status_document, to_iso8601
from service.domain.errors import InvalidRequest, NotFound
from service.domain.jobs import Job
from service.domain.webhooks import WebhookSettings
from service.jobs.webhooks.message import payload

WEBHOOKS: web.AppKey[WebhookSettings] = web.AppKey("webhooks", WebhookSettings)
JOB_PATH = "/api/v1/ingestion/job/"
SWITCHED_OFF = "Callbacks are switched off here."


def require_webhooks(request: web.Request) -> None:
    """Raise NotFound while callbacks are switched off."""
    if WEBHOOKS not in request.app:
        raise NotFound("Webhook not found", code="webhook_not_found")


def require_target(request: web.Request, url: str | None, *, field: str) -> None:
    """Raise InvalidRequest, naming the `field`, for a `url` that may not be called back."""
    if url is None:
        return
    settings = request.app.get(WEBHOOKS)
    mistake = SWITCHED_OFF if settings is None else settings.targets.mistake(url)
    if mistake is not None:
        raise InvalidRequest({field: [mistake]})


def webhook_body(job: Job, event: str, *, root_path: str = "") -> bytes:
    """What is sent when a job has ended: its status, as callers know it.

    `root_path` is the prefix that a proxy puts before paths.
    """
    return payload(
        event,
        status_document(job),
        timestamp=to_iso8601(job.completed_at),
        status_url=f"{root_path}{JOB_PATH}{job.id}",
    )
