"""`webhook`: subscriptions to the ends of jobs of a running service, and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.labels import labels_option
from service.cli.output import print_facts, print_json, print_message, print_table
from service.domain.webhooks import DeliveryStatus, WebhookEvent

if TYPE_CHECKING:
    from arxiv_ingestion_client import DeliveryDocument, IngestionClient

_SHOWN = ("webhook_id", "url", "events", "labels", "paused", "disabled_at", "secret")
_DELIVERY = ("delivery_id", "job_id", "event", "attempt", "status", "http_status", "error")

as_json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group()
def webhook() -> None:
    """Subscribe to the ends of jobs; list what was delivered, and send it again."""


@webhook.command()
@click.argument("target", metavar="TARGET")
@connected
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice([str(one) for one in WebhookEvent]),
    help="May be repeated [default: all].",
)
@labels_option
@as_json_option
def add(
    *,
    target: str,
    url: str | None,
    token: str | None,
    events: tuple[str, ...],
    labels: Mapping[str, str],
    as_json: bool,
) -> None:
    """Call TARGET, a URL, when jobs end. Prints the secret that signs, which is shown this once."""
    client = client_for(url, token)
    made = connection.run(
        client, lambda opened: opened.add_webhook(target, events=events, labels=labels)
    )
    _print(made, as_json=as_json)


@webhook.command("list")
@connected
@as_json_option
def list_webhooks(*, url: str | None, token: str | None, as_json: bool) -> None:
    """List the subscriptions, the oldest first."""
    from arxiv_ingestion_client import IngestionClient

    found = connection.run(client_for(url, token), IngestionClient.webhooks)
    if as_json:
        print_json(found)
    elif not found:
        click.echo("There is no webhook.")
    else:
        columns = ("Webhook", "URL", "Events", "Labels", "Paused", "Disabled at")
        print_table(columns, [list(_facts(one).values()) for one in found])


@webhook.command()
@click.argument("webhook_id")
@connected
@as_json_option
def show(*, webhook_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Show WEBHOOK_ID, without its secret."""
    found = connection.run(client_for(url, token), lambda client: client.webhook(webhook_id))
    _print(found, as_json=as_json)


@webhook.command()
@click.argument("webhook_id")
@connected
@as_json_option
def pause(*, webhook_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Send nothing to WEBHOOK_ID until it is resumed."""
    _pause(client_for(url, token), webhook_id, paused=True, as_json=as_json)


@webhook.command()
@click.argument("webhook_id")
@connected
@as_json_option
def resume(*, webhook_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Send to WEBHOOK_ID again, also if its receiver had it disabled."""
    _pause(client_for(url, token), webhook_id, paused=False, as_json=as_json)


@webhook.command()
@click.argument("webhook_id")
@connected
@as_json_option
def remove(*, webhook_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Remove WEBHOOK_ID and its deliveries."""
    client = client_for(url, token)
    message = connection.run(client, lambda opened: opened.remove_webhook(webhook_id))
    print_message(message, as_json=as_json)


@webhook.command()
@connected
@click.option("--job", "job_id", metavar="JOB_ID", help="Those about this job.")
@click.option("--status", type=click.Choice([str(one) for one in DeliveryStatus]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json_option
def deliveries(
    *,
    url: str | None,
    token: str | None,
    job_id: str | None,
    status: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List attempts to deliver, newest first."""

    async def collect(client: IngestionClient) -> list[DeliveryDocument]:
        found: list[DeliveryDocument] = []
        async for one in client.deliveries(job_id=job_id, status=status):
            found.append(one)
            if len(found) == limit:
                break
        return found

    found = connection.run(client_for(url, token), collect)
    if as_json:
        print_json(found)
    elif not found:
        click.echo("There is no delivery.")
    else:
        columns = ("Delivery", "Job", "Event", "Attempt", "Status", "HTTP", "Error")
        print_table(columns, [[one[name] for name in _DELIVERY] for one in map(dict, found)])


@webhook.command()
@click.argument("delivery_id")
@connected
@as_json_option
def resend(*, delivery_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Make one more attempt of DELIVERY_ID now."""
    made = connection.run(client_for(url, token), lambda client: client.resend(delivery_id))
    if as_json:
        print_json(made)
    else:
        print_facts({name.replace("_", " "): dict(made)[name] for name in _DELIVERY})


def _pause(client: IngestionClient, webhook_id: str, *, paused: bool, as_json: bool) -> None:
    changed = connection.run(
        client, lambda opened: opened.change_webhook(webhook_id, paused=paused)
    )
    _print(changed, as_json=as_json)


def _print(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_facts(_facts(document))


def _facts(document: Mapping[str, Any]) -> dict[str, Any]:
    labels = ", ".join(f"{name}={value}" for name, value in document["labels"].items())
    told = {
        **document,
        "events": ", ".join(document["events"]),
        "labels": labels or None,
        "paused": "yes" if document["paused"] else "no",
    }
    return {name.replace("_", " "): told[name] for name in _SHOWN if name in told}
