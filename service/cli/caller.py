"""`caller`: block and unblock the subjects of tokens, in the database itself.

Not over HTTP, so that it works while the service is down, and needs no token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from service.cli.output import print_json, print_table
from service.cli.settings import load_settings

if TYPE_CHECKING:
    from service.db.callers import CallerStore

DEADLINE_SECONDS = 10.0

_Result = TypeVar("_Result")


@click.group()
def caller() -> None:
    """Block and unblock callers; list those that ever were."""


def _subject(_: click.Context, __: click.Parameter, value: str) -> str:
    from service.auth.tokens import MAX_SUBJECT_LENGTH

    if not 0 < len(value) <= MAX_SUBJECT_LENGTH or not value.isprintable():
        raise click.BadParameter(f"must be 1 to {MAX_SUBJECT_LENGTH} printable characters")
    return value


@caller.command()
@click.argument("sub", metavar="NAME", callback=_subject)
@click.option("--reason", metavar="TEXT", help="Why; shown by `caller list`.")
def block(*, sub: str, reason: str | None) -> None:
    """Refuse every token whose subject is NAME, within a second."""
    _run(lambda store: store.save(sub, is_blocked=True, reason=reason))
    click.echo(f"{sub} is blocked.")


@caller.command()
@click.argument("sub", metavar="NAME", callback=_subject)
def unblock(*, sub: str) -> None:
    """Accept tokens of NAME again."""
    _run(lambda store: store.save(sub, is_blocked=False))
    click.echo(f"{sub} is not blocked.")


@caller.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def list_callers(*, as_json: bool) -> None:
    """List every caller that is or was blocked."""
    from service.api.job_status import to_iso8601

    rows = _run(lambda store: store.list_all())
    if as_json:
        print_json(
            [
                {
                    "sub": row.sub,
                    "is_blocked": row.is_blocked,
                    "reason": row.reason,
                    "changed_at": to_iso8601(row.changed_at),
                }
                for row in rows
            ]
        )
    elif not rows:
        click.echo("No caller was ever blocked.")
    else:
        told = [
            (row.sub, "yes" if row.is_blocked else "no", row.reason, to_iso8601(row.changed_at))
            for row in rows
        ]
        print_table(("Caller", "Blocked", "Reason", "Since"), told)


def _run(action: Callable[[CallerStore], Awaitable[_Result]]) -> _Result:
    from sqlalchemy.exc import ProgrammingError

    from service.cli.database import database_url
    from service.db.callers import CallerStore
    from service.process.resources import database_of

    async def run(url: str) -> _Result:
        name = "caller"
        async with (
            database_of(url, name=name, deadline_seconds=DEADLINE_SECONDS, pool_size=1) as database,
            database.transaction() as conn,
        ):
            return await action(CallerStore(conn))

    with database_url(load_settings()) as url:
        try:
            return asyncio.run(run(url))
        except ProgrammingError:
            raise click.ClickException(
                "the tables are not there or not as they should be; run `db upgrade`"
            ) from None
