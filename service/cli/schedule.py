"""`schedule`: recurring ingestion jobs of a running service."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import IO, TYPE_CHECKING, Any

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.ingest import build_request, explain, read_request, request_options
from service.cli.job import print_jobs, watch_to_end
from service.cli.output import print_facts, print_json, print_message, print_table, safe

if TYPE_CHECKING:
    from arxiv_ingestion_client import IngestionClient, JobReport

DEFAULT_LIMIT = 50
_SHOWN = (
    *("schedule_id", "name", "cron", "timezone", "paused"),
    *("next_run_at", "last_run_at", "last_job_id"),
)


@click.group()
def schedule() -> None:
    """Create, list, show, run, pause, resume and delete recurring ingestion jobs."""


@schedule.command()
@click.argument("name")
@click.argument("cron")
@request_options
@connected
@click.option("--timezone", metavar="ZONE", help="IANA time zone of CRON [default: UTC].")
@click.option("--paused", is_flag=True, help="Do not run it until it is resumed.")
@click.option("--json", "as_json", is_flag=True, help="The schedule as a JSON object.")
def add(
    *,
    name: str,
    cron: str,
    url: str | None,
    token: str | None,
    timezone: str | None,
    paused: bool,
    as_json: bool,
    file: IO[str] | None,
    **options: Any,  # noqa: ANN401 - click's border
) -> None:
    """Create a recurring ingestion job: NAME of the schedule, CRON expression ('0 3 * * *').

    The request is given as for `ingest`; --from-date may also be last_success, yesterday or
    today-7d, --to-date yesterday, today or today-7d.
    """
    from arxiv_ingestion_client import ProblemError

    request = build_request(read_request(file), options)
    client = client_for(url, token)
    try:
        made = connection.run(
            client,
            lambda opened: opened.add_schedule(
                name, cron, request, timezone=timezone or "UTC", paused=paused
            ),
        )
    except ProblemError as err:
        if err.status != 422:
            raise
        err.errors = {field.removeprefix("request."): why for field, why in err.errors.items()}
        raise click.UsageError(explain(err)) from None
    _print(made, as_json=as_json)


@schedule.command("list")
@connected
@click.option("--json", "as_json", is_flag=True, help="An array of JSON objects.")
def list_schedules(*, url: str | None, token: str | None, as_json: bool) -> None:
    """List the schedules, by name."""
    from arxiv_ingestion_client import IngestionClient

    found = connection.run(client_for(url, token), IngestionClient.schedules)
    if as_json:
        print_json(found)
    elif not found:
        click.echo("There is no schedule.")
    else:
        columns = ("Schedule", "Name", "Cron", "Zone", "Paused", "Next run", "Last run", "Last job")
        print_table(columns, [list(_facts(one).values()) for one in found])


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="The schedule as a JSON object.")
def show(*, schedule_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Show SCHEDULE_ID, with its next and last run."""
    found = connection.run(client_for(url, token), lambda client: client.schedule(schedule_id))
    _print(found, as_json=as_json)


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="The schedule as a JSON object.")
def pause(*, schedule_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Do not run SCHEDULE_ID until it is resumed."""
    _pause(client_for(url, token), schedule_id, paused=True, as_json=as_json)


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="The schedule as a JSON object.")
def resume(*, schedule_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Run SCHEDULE_ID again, from its next run on."""
    _pause(client_for(url, token), schedule_id, paused=False, as_json=as_json)


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option("--idempotency-key", metavar="KEY", help="Same key, same run [default: a new one].")
@click.option("--watch", is_flag=True, help="Show the job until it is finished.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def run(
    *,
    schedule_id: str,
    url: str | None,
    token: str | None,
    idempotency_key: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Run SCHEDULE_ID now, and print the id of its job; its next run stays as it is."""
    job_id = connection.run(
        client_for(url, token),
        lambda opened: opened.run_schedule(schedule_id, idempotency_key=idempotency_key),
    )
    if watch:
        watch_to_end(url, token, job_id, as_json=as_json)
    elif as_json:
        print_json({"job_id": job_id})
    else:
        click.echo(safe(job_id))


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option(
    "--limit", type=click.IntRange(1), default=DEFAULT_LIMIT, show_default=True, metavar="N"
)
@click.option("--json", "as_json", is_flag=True, help="An array of status objects.")
def jobs(
    *, schedule_id: str, url: str | None, token: str | None, limit: int, as_json: bool
) -> None:
    """List the jobs that SCHEDULE_ID has created, newest first."""
    found = connection.run(client_for(url, token), lambda opened: _jobs(opened, schedule_id, limit))
    print_jobs(found, as_json=as_json, nothing="It has created no job.")


async def _jobs(client: IngestionClient, schedule_id: str, limit: int) -> list[JobReport]:
    found: list[JobReport] = []
    async with aclosing(client.schedule_jobs(schedule_id)) as coming:
        async for one in coming:
            found.append(one)
            if len(found) == limit:
                break
    return found


@schedule.command()
@click.argument("schedule_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def remove(*, schedule_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Remove SCHEDULE_ID; its jobs stay."""
    client = client_for(url, token)
    message = connection.run(client, lambda opened: opened.remove_schedule(schedule_id))
    print_message(message, as_json=as_json)


def _pause(client: IngestionClient, schedule_id: str, *, paused: bool, as_json: bool) -> None:
    changed = connection.run(
        client, lambda opened: opened.change_schedule(schedule_id, paused=paused)
    )
    _print(changed, as_json=as_json)


def _print(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_facts(_facts(document))


def _facts(document: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name.replace("_", " "): document.get(name) for name in _SHOWN}
    return {**facts, "paused": "yes" if document.get("paused") else "no"}
