"""`demo`: start everything, run one small ingestion, explain it."""

import asyncio
import sys
from dataclasses import replace

import click

from service.cli.connection import make_token
from service.cli.output import console, safe
from service.cli.settings import load_settings
from service.devtools.standalone import POSTGRES, require

FAILURE = 1
SOURCES = ("search", "ids", "oai", "snapshot")  # as in demo_scenarios, which is not for --help


@click.command()
@click.option("--stay", is_flag=True, help="Stay up afterwards, until Ctrl-C.")
@click.option("--stand-in", is_flag=True, help="Do not ask arXiv, even if it can be reached.")
@click.option(
    "--source",
    type=click.Choice(SOURCES),
    help="Show this source, with the stand-in behind it [default: a search].",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Explanations on stderr, the status on stdout."
)
def demo(*, stay: bool, stand_in: bool, source: str | None, as_json: bool) -> None:
    """Start everything, ingest 25 papers of cs.AI (or see --source), and explain what happened."""
    from service.cli.story import Demo, until_signal
    from service.devtools.children import ChildFailed
    from service.devtools.port import listening_port

    settings = load_settings()
    settings = replace(settings, port=listening_port(settings.host, settings.port))
    if settings.is_embedded:
        require(POSTGRES)
    make_token(settings)  # fails now rather than after everything has started
    say = console(sys.stderr if as_json else sys.stdout)
    told = Demo(settings, say, stand_in=stand_in, stay=stay, as_json=as_json, source=source)
    try:
        sys.exit(asyncio.run(until_signal(told)))
    except ChildFailed as err:
        lines = "".join(f"\n  {safe(line)}" for line in err.last_lines())
        click.echo(f"error: {err}" + (f"\nThe end of {err.log}:{lines}" if lines else ""), err=True)
        sys.exit(FAILURE)
