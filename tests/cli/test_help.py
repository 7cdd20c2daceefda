"""Commands load no more than they need, `--help` and `--version` least: one types them most."""

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from service import __version__
from service.cli.main import cli

HEAVY = {"sqlalchemy", "alembic", "pgqueuer", "asyncpg", "cryptography", "lxml", "rich"}
SHOW = """
import json, sys
sys.argv[0] = "arxiv-ingestion"
from service.cli.main import main
try:
    main()
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""
NOBODY = "http://127.0.0.1:9"  # the port "discard": nothing listens there


def paths(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every group and command, as one types it."""
    yield before
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from paths(command, (*before, name))
        else:
            yield (*before, name)


def modules_after(*arguments: str, code: int = 0) -> tuple[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    printed, _, modules = done.stdout.rstrip().rpartition("\n")
    return printed, set(json.loads(modules))


@pytest.mark.parametrize("path", list(paths()), ids=" ".join)
def test_help_of_a_command_imports_nothing_that_takes_long(path):
    printed, modules = modules_after(*path, "--help")

    assert printed.startswith("Usage: arxiv-ingestion")
    heavy = HEAVY if path == ("replica",) else HEAVY | {"aiohttp"}  # its kinds of faults
    assert modules & heavy == set()


def test_the_version_imports_nothing_that_takes_long():
    printed, modules = modules_after("--version")

    assert __version__ in printed
    assert modules & (HEAVY | {"aiohttp"}) == set()


@pytest.mark.parametrize("command", ["job list", "schedule list", "webhook list", "changes"])
def test_a_command_that_asks_the_service_loads_neither_its_server_nor_a_database(command):
    _, modules = modules_after(*command.split(), "--url", NOBODY, code=1)

    assert "aiohttp" in modules
    assert modules & {"sqlalchemy", "asyncpg", "alembic", "pgqueuer"} == set()
    assert {name for name in modules if name.startswith(("service.api.", "service.db."))} == set()
