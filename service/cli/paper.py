"""`paper`: export the papers that a running service holds."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import click

from service.cli import connection
from service.cli.connection import client_for, connected

LONGEST_EXPORT = timedelta(hours=6)
_FILTERS = {  # parameter of the route → help
    "category": "One of the paper's categories, like cs.AI, or an archive.",
    "author": "Words that follow each other in one author's name.",
    "q": "Words in title or abstract.",
    "from_date": "First day of submission.",
    "to_date": "Last day of submission.",
    "license": "Under this licence, by its URL.",
    "stored_after": "Metadata written then or later (RFC 3339).",
}


@click.group()
def paper() -> None:
    """Export the papers that are held."""


def _filter_options(command: click.Command) -> click.Command:
    for name, text in reversed(_FILTERS.items()):
        option = "words" if name == "q" else name.replace("_", "-")
        command.params.append(click.Option([f"--{option}", name], help=text))
    return command


@_filter_options
@paper.command()
@connected
@click.option(
    "--format",
    "form",
    type=click.Choice(["bibtex", "csv", "ndjson", "parquet"]),
    default="ndjson",
    show_default=True,
    help="Parquet needs the service's extra of that name.",
)
@click.option("--job", "job_id", metavar="JOB_ID", help="Papers that this job touched.")
@click.option("--id", "ids", multiple=True, metavar="ARXIV_ID", help="This paper; up to 100.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write; it is whole, or as it was before [default: standard output].",
)
def export(
    *,
    url: str | None,
    token: str | None,
    form: str,
    ids: tuple[str, ...],
    output: Path | None,
    **filters: str | None,
) -> None:
    """Export all papers that match, last submitted first.

    Nothing is printed before the answer has come whole.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    if ids:
        wanted["ids"] = ",".join(ids)
    client = client_for(url, token)

    def write(path: Path) -> None:
        connection.run(
            client,
            lambda opened: opened.export_papers(path, form, timeout=LONGEST_EXPORT, **wanted),
        )

    if output is not None:
        write(output)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "papers"
        write(path)
        with path.open("rb") as file:
            while piece := file.read(1 << 16):
                sys.stdout.buffer.write(piece)
