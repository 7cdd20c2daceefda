"""`job`: list, show, watch, cancel and retry jobs of a running service; errors, timelines."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.labels import labels_option
from service.cli.output import (
    facts_of,
    out_of,
    print_facts,
    print_json,
    print_message,
    print_table,
    safe,
)
from service.domain.jobs import ACTIVE_STATUSES, JobStatus

if TYPE_CHECKING:
    from arxiv_ingestion_client import JobReport

_Item = TypeVar("_Item")

FAILURE = 1
SHOWN_ERRORS = 10


@click.group()
def job() -> None:
    """List, show, watch, cancel and retry jobs; see their errors and timelines."""


@job.command("list")
@connected
@click.option(
    "--status",
    "statuses",
    type=click.Choice(["all", *map(str, JobStatus)]),
    multiple=True,
    help="Jobs of this status; may be repeated [default: pending and running].",
)
@click.option("--requested-by", metavar="SUBJECT", help="Jobs that this caller submitted.")
@labels_option
@click.option("--source", help="Jobs of this source, such as search.")
@click.option("--schedule", "schedule_id", metavar="ID", help="Jobs that this schedule submitted.")
@click.option("--created-after", metavar="MOMENT", help="Created then or later (RFC 3339).")
@click.option("--created-before", metavar="MOMENT", help="Created before then (RFC 3339).")
@click.option("--words", "q", help="Jobs whose request has all these words; any case.")
@click.option("--id", "id", multiple=True, metavar="JOB_ID", help="This job; may be repeated.")
@click.option(
    "--sort",
    type=click.Choice(["created_at", "-created_at", "updated_at", "-updated_at"]),
    help="By which moment; with - the newest first [default: -created_at].",
)
@click.option("--limit", type=click.IntRange(1, 200), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="An array of status objects.")
def list_jobs(
    *,
    url: str | None,
    token: str | None,
    statuses: Sequence[str],
    labels: Mapping[str, str],
    limit: int | None,
    as_json: bool,
    **filters: str | Sequence[str] | None,
) -> None:
    """List the active jobs, or those that match, newest first."""
    wanted = {name: value for name, value in filters.items() if value}
    if labels:
        wanted["label"] = [f"{key}:{value}" for key, value in labels.items()]
    jobs = connection.run(
        client_for(url, token),
        lambda client: client.jobs(statuses, limit=limit, **wanted),
    )
    told = f"No job is {' or '.join(statuses or ACTIVE_STATUSES)}."
    print_jobs(jobs, as_json=as_json, nothing="No job matches." if wanted else told)


def print_jobs(jobs: Sequence[JobReport], *, as_json: bool, nothing: str) -> None:
    """Jobs as a table or as JSON; `nothing` is said where there are none."""
    if as_json:
        print_json([one.document for one in jobs])
    elif not jobs:
        click.echo(nothing)
    else:
        columns = ("Job", "Status", "Papers", "PDFs", "Text", "Errors", "Created")
        print_table(columns, [_row(one) for one in jobs])


def _row(one: JobReport) -> tuple[object, ...]:
    return (
        one.job_id,
        one.status,
        out_of(one.count("papers_fetched"), one.find("papers_total")),
        one.count("pdfs_downloaded"),
        one.count("pdfs_processed"),
        one.count("errors_total"),
        one.document.get("created_at"),
    )


@job.command()
@click.argument("job_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="The status object.")
def show(*, job_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Show the status of JOB_ID."""
    found = connection.run(client_for(url, token), lambda client: client.job(job_id))
    if as_json:
        print_json(found.document)
        return
    print_facts(facts_of(found))
    if found.errors:
        click.echo("Latest errors:")
        print_errors(found)


def print_errors(found: JobReport) -> None:
    """The latest few errors of a job, one a line."""
    for error in found.errors[-SHOWN_ERRORS:]:
        told = [error.get(name) for name in ("timestamp", "stage", "arxiv_id", "error")]
        click.echo("  " + " ".join(safe(one) for one in told if one is not None))


@job.command("watch")
@click.argument("job_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="Only the last status object.")
def watch_job(*, job_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Show JOB_ID until it is finished; exit code 0 only if it completed."""
    watch_to_end(url, token, job_id, as_json=as_json)


def watch_to_end(url: str | None, token: str | None, job_id: str, *, as_json: bool) -> None:
    """Show the job until it is finished, then exit with what became of it.

    Ctrl-C ends the watching, not the job. So does a service that does not answer
    for minutes.
    """
    from service.cli.watching import display_for, watch

    client = client_for(url, token, patience=connection.WATCH_PATIENCE)
    display = display_for(quiet=as_json)
    try:
        last = connection.run(client, lambda opened: watch(opened, job_id, display=display))
    except KeyboardInterrupt:
        click.echo(
            f"The job goes on. To watch it again: arxiv-ingestion job watch {job_id}", err=True
        )
        sys.exit(connection.INTERRUPTED)
    except TimeoutError:
        raise click.ClickException("the job is not finished after a day of watching") from None
    if as_json:
        print_json(last.document)
    elif last.errors:
        print_errors(last)
    if last.status != JobStatus.COMPLETED:
        click.echo(f"error: the job is {safe(last.status)}", err=True)
        sys.exit(FAILURE)


@job.command()
@click.argument("job_id")
@connected
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def cancel(*, job_id: str, url: str | None, token: str | None, as_json: bool) -> None:
    """Cancel JOB_ID; work on it stops within seconds."""
    message = connection.run(client_for(url, token), lambda client: client.cancel(job_id))
    print_message(message, as_json=as_json)


@job.command()
@click.argument("job_id")
@connected
@click.option("--watch", "is_watched", is_flag=True, help="Show the new job until it is finished.")
@click.option("--idempotency-key", metavar="KEY", help="Same key, same retry [default: a new one].")
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def retry(
    *,
    job_id: str,
    url: str | None,
    token: str | None,
    is_watched: bool,
    idempotency_key: str | None,
    as_json: bool,
) -> None:
    """Retry the failed papers of finished JOB_ID as a new job; prints the new job's id."""
    from arxiv_ingestion_client import MAX_WAIT

    key = idempotency_key or str(uuid.uuid4())
    client = client_for(url, token, patience=MAX_WAIT)
    new = connection.run(client, lambda opened: opened.retry(job_id, idempotency_key=key))
    if is_watched:
        click.echo(f"Job {safe(new.job_id)}", err=as_json)
        watch_to_end(url, token, new.job_id, as_json=as_json)
    elif as_json:
        print_json(new.document)
    else:
        click.echo(safe(new.job_id))


@job.command()
@click.argument("job_id")
@connected
@click.option("--group", is_flag=True, help="Count them by stage and code, with an example.")
@click.option("--json", "as_json", is_flag=True, help="An array.")
def errors(*, job_id: str, url: str | None, token: str | None, group: bool, as_json: bool) -> None:
    """List all errors of JOB_ID."""
    client = client_for(url, token)
    if group:
        names: tuple[str, ...] = ("count", "papers", "stage", "code", "example")
        found: Sequence[Mapping[str, Any]] = connection.run(
            client, lambda opened: opened.job_error_groups(job_id)
        )
    else:
        names = ("timestamp", "stage", "code", "arxiv_id", "error")
        found = connection.run(client, lambda opened: _all(opened.job_errors(job_id)))
    if as_json:
        print_json(found)
    elif found:
        columns = tuple(name.replace("_", " ").capitalize() for name in names)
        print_table(columns, [tuple(one.get(name) for name in names) for one in found])
    else:
        click.echo("There is no error.")


@job.command()
@click.argument("job_id")
@connected
@click.option(
    "--series", type=click.Choice(["throughput"]), help="Papers and PDFs in each interval instead."
)
@click.option("--json", "as_json", is_flag=True, help="An array of events, or the series.")
def timeline(
    *, job_id: str, url: str | None, token: str | None, series: str | None, as_json: bool
) -> None:
    """Show what happened to JOB_ID, in order."""
    client = client_for(url, token)
    if series is not None:
        found = connection.run(client, lambda opened: opened.job_throughput(job_id))
        columns: tuple[str, ...] = ("At", "Papers", "PDFs")
        rows: list[tuple[object, ...]] = [
            (one["at"], one["papers"], one["pdfs"]) for one in found["points"]
        ]
        document: object = found
    else:
        events = connection.run(client, lambda opened: _all(opened.job_timeline(job_id)))
        columns = ("At", "Event", "Details")
        rows = [(one["at"], one["event"], _details(one)) for one in events]
        document = events
    if as_json:
        print_json(document)
    elif rows:
        print_table(columns, rows)
    else:
        click.echo("Nothing has happened yet.")


async def _all(items: AsyncIterator[_Item]) -> list[_Item]:
    return [one async for one in items]


def _details(event: Mapping[str, object]) -> str:
    """The rest of an event, as `name=value`."""
    told = {name: value for name, value in event.items() if name not in ("at", "event")}
    return " ".join(f"{name}={value}" for name, value in told.items() if value is not None)
