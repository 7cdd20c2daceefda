"""`arxiv`: stop and resume all requests of the fleet to arXiv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.output import print_json, safe

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.group()
def arxiv() -> None:
    """Stop and resume all requests to arXiv."""


@arxiv.command()
@connected
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def pause(*, url: str | None, token: str | None, as_json: bool) -> None:
    """Stop all requests of the fleet to arXiv now; those in flight end."""
    found = connection.run(client_for(url, token), lambda client: client.pause_arxiv())
    _show(found, as_json=as_json)


@arxiv.command()
@connected
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def resume(*, url: str | None, token: str | None, as_json: bool) -> None:
    """Let requests to arXiv go out again; jobs that waited go on."""
    found = connection.run(client_for(url, token), lambda client: client.resume_arxiv())
    _show(found, as_json=as_json)


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(dict(found))
    elif found.get("paused"):
        click.echo(f"Requests to arXiv are paused since {safe(found.get('since'))}.")
    else:
        click.echo("Requests to arXiv are not paused.")
