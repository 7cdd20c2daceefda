"""Calls about webhooks, and the verification of their messages (Standard Webhooks 1.0)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from arxiv_ingestion_client.calls import Calls, with_query
from arxiv_ingestion_client.errors import WebhookRefused
from arxiv_ingestion_client.reports import DeliveryDocument, WebhookDocument
from arxiv_ingestion_client.transport import Ask


def verify_webhook(
    secret: str | Sequence[str], headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """The message `{"type","timestamp","data"}` in the `body` of a request with these `headers`.

    `secret`: that of the subscription, or several of which one has to fit. Raises
    WebhookRefused for what is not signed with it, or was sent over five minutes ago.
    Needs the extra `webhooks`.
    """
    from standardwebhooks import Webhook  # noqa: PLC0415 - an extra

    for one in (secret,) if isinstance(secret, str) else secret:
        webhook = Webhook(one)  # a secret that is none raises here, and not as a refusal
        try:
            message = webhook.verify(body, dict(headers))
        except Exception:  # noqa: S112 - the library raises anything for garbage
            continue
        if isinstance(message, dict):
            return message
    raise WebhookRefused("the message is not signed with the secret, or is not of this moment")


class WebhookCalls(Calls):
    """Subscriptions to the ends of jobs, and what became of their messages."""

    async def webhooks(self) -> list[WebhookDocument]:
        """All subscriptions, the oldest first."""
        return [one async for one in self._pages("webhooks?limit=200")]

    async def webhook(self, webhook_id: UUID | str) -> WebhookDocument:
        """A subscription; ProblemError with status 404 if there is none."""
        found: WebhookDocument = (await self._ask("GET", _path(webhook_id))).document()
        return found

    async def add_webhook(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> WebhookDocument:
        """A new subscription, to all events if none are named; its `secret` is shown this once."""
        given = {"events": events and list(events), "labels": labels and dict(labels)}
        body = {"url": url, **{name: value for name, value in given.items() if value}}
        found: WebhookDocument = (await self._ask("POST", "webhooks", body=body)).document()
        return found

    async def change_webhook(self, webhook_id: UUID | str, **changes: object) -> WebhookDocument:
        """The subscription with `changes` made: `url`, `events`, `labels`, `paused`."""
        answer = await self._ask("PATCH", _path(webhook_id), body=changes)
        found: WebhookDocument = answer.document()
        return found

    async def remove_webhook(self, webhook_id: UUID | str) -> str:
        """Remove a subscription and its deliveries; what the service said."""
        ask = Ask(method="DELETE", path=_path(webhook_id), is_repeatable=False)
        return str((await self._transport.answer(ask)).document().get("message", ""))

    async def deliveries(
        self, *, job_id: UUID | str | None = None, status: str | None = None
    ) -> AsyncGenerator[DeliveryDocument, None]:
        """Attempts to deliver, newest first, page by page."""
        job = None if job_id is None else str(job_id)
        path = with_query("webhooks/deliveries", job_id=job, status=status, limit=200)
        async for one in self._pages(path):
            yield one

    async def resend(self, delivery_id: UUID | str) -> DeliveryDocument:
        """One more attempt of a delivery, now."""
        path = f"webhooks/deliveries/{quote(str(delivery_id), safe='')}/resend"
        found: DeliveryDocument = (await self._ask("POST", path)).document()
        return found


def _path(webhook_id: UUID | str) -> str:
    return f"webhooks/{quote(str(webhook_id), safe='')}"
