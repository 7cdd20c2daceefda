"""Options of the command line for labels: `--label key=value`, as often as wanted."""

import click


def _read(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise click.BadParameter("must be KEY=VALUE")
        labels[name] = value
    return labels


labels_option = click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_read,
    help="May be repeated; all of them count.",
)
