"""The command line: one group, its commands in modules of their own."""

import sys

import click

from service import __version__
from service.cli.config import config
from service.cli.db import db
from service.cli.serve import serve, worker
from service.cli.token import token
from service.domain.errors import ServiceError
from service.settings import SettingsError
from service.storage.embedded import EmbeddedPostgresError

USAGE_ERROR = 2  # also: a setting is wrong
FAILURE = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Bring slices of arXiv in: metadata, PDFs, text.

    Settings come from the environment; `config` prints them. Exit codes: 0 done,
    1 it failed (the text says why), 2 wrong usage or a wrong setting.
    """


for command in (serve, worker, token, db, config):
    cli.add_command(command)


def main() -> None:
    """Run the command line; errors of ours become one line and an exit code."""
    try:
        cli(prog_name="arxiv-ingestion")
    except SettingsError as err:
        for name, text in sorted(err.problems.items()):
            click.echo(
                f"error: {name} {text}" if _is_sentence(text) else f"error: {name}: {text}",
                err=True,
            )
        sys.exit(USAGE_ERROR)
    except (ServiceError, EmbeddedPostgresError) as err:
        click.echo(f"error: {err}", err=True)
        sys.exit(FAILURE)


def _is_sentence(text: str) -> bool:
    return text.startswith(("must", "is "))
