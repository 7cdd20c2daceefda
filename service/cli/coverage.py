"""`coverage`: what is held of what arXiv lists, as the last audit of a set found it."""

from __future__ import annotations

import sys

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.output import print_facts, print_json, print_table

INCOMPLETE = 1
_COLUMNS = ("day", "listed", "held", "missing", "stale")


@click.command()
@connected
@click.option("--set", "set_spec", metavar="SET", help="cs, cs:cs:AI [default: all of arXiv].")
@click.option("--from-date", metavar="YYYYMMDD", help="First day (datestamp, UTC).")
@click.option("--to-date", metavar="YYYYMMDD", help="Last day.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer.")
def coverage(
    *,
    url: str | None,
    token: str | None,
    set_spec: str | None,
    from_date: str | None,
    to_date: str | None,
    as_json: bool,
) -> None:
    """Show whether everything that arXiv lists is held, and on which days it is not.

    Exit code 1 if it is not, or no audit has covered the whole range.
    """
    given = {"set": set_spec, "from_date": from_date, "to_date": to_date}
    asked = {name: value for name, value in given.items() if value is not None}
    found = connection.run(client_for(url, token), lambda client: client.coverage(**asked))
    if as_json:
        print_json(found)
    else:
        names = ("complete", *_COLUMNS[1:], "from_date", "to_date", "checked_at")
        print_facts({name: found[name] for name in names})
        amiss = [one for one in found["days"] if one["missing"] or one["stale"]]
        if amiss:
            print_table(
                tuple(name.capitalize() for name in _COLUMNS),
                [tuple(one[name] for name in _COLUMNS) for one in amiss],
            )
    if not found["complete"]:
        sys.exit(INCOMPLETE)
