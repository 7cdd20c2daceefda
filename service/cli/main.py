"""Command line entry point: one group, its commands in modules of their own."""

import sys
from importlib import import_module

import click
from click.exceptions import NoArgsIsHelpError

from service import __version__
from service.cli.output import safe

USAGE_ERROR = 2  # also: a setting is wrong
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


# Command → its module, imported when it is asked for: most need but a part of the service.
COMMANDS = {
    "serve": "serve",
    "worker": "serve",
    "ingest": "ingest",
    "snapshot": "snapshot",
    "documents": "documents",
    "coverage": "coverage",
    "changes": "changes",
    "job": "job",
    "paper": "paper",
    "schedule": "schedule",
    "webhook": "webhook",
    "caller": "caller",
    "arxiv": "arxiv",
    "token": "token",
    "db": "db",
    "replica": "replica",
    "demo": "demo",
    "config": "config",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"service.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Ingest arXiv papers: metadata, PDFs, text.

    Settings come from the environment; `config` prints them. Exit codes: 0 done,
    1 it failed (the text says why), 2 wrong usage or a wrong setting.
    """


def main() -> None:
    """Run the command line; an error becomes one line on standard error and an exit code."""
    try:
        code = cli.main(prog_name="arxiv-ingestion", standalone_mode=False)
    except NoArgsIsHelpError as err:
        err.show()
        sys.exit(USAGE_ERROR)
    except click.ClickException as err:
        _say(err.format_message() + _hint(err))
        sys.exit(err.exit_code)
    except click.Abort:
        _say("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as err:
        from service.cli import failures

        if (failure := failures.explained(err)) is None:
            raise
        for text in failure.lines:
            _say(text)
        sys.exit(failure.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _say(text: str) -> None:
    click.echo(f"error: {safe(text)}".replace("\n", " "), err=True)


def _hint(err: click.ClickException) -> str:
    if isinstance(err, click.UsageError) and err.ctx is not None:
        return f" (see {err.ctx.command_path} --help)"
    return ""
