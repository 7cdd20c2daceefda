"""`documents rebuild`: make structured documents anew from the files that are held."""

import click

from service.cli.connection import connected
from service.cli.ingest import ingest


@click.group()
def documents() -> None:
    """Structured documents of papers."""


@documents.command()
@click.option(
    "--id", "ids", metavar="ARXIV_ID", multiple=True, help="May be repeated [default: outdated]."
)
@connected
@click.option("--detach", is_flag=True, help="Print the job's id and do not watch it.")
@click.option("--json", "as_json", is_flag=True, help="Only the last status object.")
@click.pass_context
def rebuild(
    ctx: click.Context,
    *,
    ids: tuple[str, ...],
    url: str | None,
    token: str | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Make documents anew, without downloading anything: those that are outdated, or of --id."""
    own = {"url": url, "token": token, "detach": detach, "as_json": as_json}
    ctx.invoke(ingest, source="documents", ids=ids, **own)
