"""Commands are documented: all of them, and no others."""

from collections.abc import Iterator

import click

from service.cli.main import cli


def test_every_command_is_in_the_readme_and_no_other(document):
    documented = document("docs/command-line.md").names("Commands")

    assert sorted(map(_without_arguments, documented)) == sorted(_commands(cli))


def test_options_named_in_the_readme_exist(document):
    missing = []
    for row in document("docs/command-line.md").table("Commands"):
        name, *_ = row[0].strip("`").split("`")
        known = _options(_without_arguments(name))
        named = {word.strip("`,;.()") for cell in row for word in cell.split() if "--" in word}
        missing += [f"{name}: {option}" for option in named if option not in {*known, "--"}]

    assert missing == []


def _commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def _without_arguments(text: str) -> str:
    words = text.split()
    return " ".join(word for word in words if word.islower() and not word.startswith("--"))


def _options(path: str) -> set[str]:
    command: click.Command = cli
    for name in path.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    return {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
