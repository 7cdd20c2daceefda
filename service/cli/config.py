"""`config`: the settings in force."""

import json

import click

from service.cli.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def config(*, as_json: bool) -> None:
    """Print the settings in force, secrets masked."""
    from rich.console import Console
    from rich.table import Table

    shown = load_settings().masked()
    if as_json:
        click.echo(json.dumps(shown))
        return
    table = Table("Variable", "Value", box=None, pad_edge=False)
    for name, value in shown.items():
        table.add_row(name, "" if value is None else str(value))
    Console(soft_wrap=True).print(table)
