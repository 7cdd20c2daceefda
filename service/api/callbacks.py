"""Whether callbacks are on, and which URLs they may go to: asked by all routes that take one."""

from aiohttp import web

from service.domain.errors import InvalidRequest, NotFound
from service.domain.webhooks import WebhookSettings

WEBHOOKS: web.AppKey[WebhookSettings] = web.AppKey("webhooks", WebhookSettings)
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
