"""`snapshot import`: read a metadata file of the service's SNAPSHOT_DIR, and show the job."""

from pathlib import PurePath

import click

from service.cli.connection import connected
from service.cli.ingest import ingest


@click.group()
def snapshot() -> None:
    """Metadata snapshots in the service's SNAPSHOT_DIR."""


@snapshot.command("import")
@click.argument("name")
@connected
@click.option("--detach", is_flag=True, help="Print the job's id and do not watch it.")
@click.option("--json", "as_json", is_flag=True, help="Only the last status object.")
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    name: str,
    url: str | None,
    token: str | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Bring in the papers of the file NAME; of a path only its last part counts."""
    given = {"source": "snapshot", "snapshot_file": PurePath(name).name}
    own = {"url": url, "token": token, "detach": detach, "as_json": as_json}
    ctx.invoke(ingest, **given, **own)
