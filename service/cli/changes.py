"""`changes`: what changed of papers, as the change feed says it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from service.cli import connection
from service.cli.connection import SHORT_PATIENCE, WATCH_PATIENCE, client_for, connected
from service.cli.output import safe
from service.domain.changes import ChangeKind

if TYPE_CHECKING:
    from arxiv_ingestion_client import ChangeDocument, IngestionClient

LATEST = "latest"
_COLUMNS = ("at", "kind", "arxiv_id", "version", "job_id", "token")


@click.command()
@connected
@click.option(
    "--after",
    metavar="TOKEN",
    help="Changes behind this one; `latest`: those to come [default: from the beginning].",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([str(kind) for kind in ChangeKind]),
    multiple=True,
    help="Changes of this kind only; may be repeated.",
)
@click.option("--follow", is_flag=True, help="Wait for further changes, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object on each line.")
def changes(
    *,
    url: str | None,
    token: str | None,
    after: str | None,
    kinds: tuple[str, ...],
    follow: bool,
    as_json: bool,
) -> None:
    """List what changed of papers, oldest first, each on a line; the last column is its token."""

    async def show(client: IngestionClient) -> None:
        start = await client.latest_change() if after == LATEST else after
        kind = ",".join(kinds) or None
        async for one in client.changes(start, kind=kind, follow=follow):
            click.echo(json.dumps(one) if as_json else _line(one))

    patience = WATCH_PATIENCE if follow else SHORT_PATIENCE
    connection.run(client_for(url, token, patience=patience), show)


def _line(one: ChangeDocument) -> str:
    values = (one.get(name) for name in _COLUMNS)
    return "\t".join("-" if value is None else safe(value) for value in values)
