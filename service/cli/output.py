"""Output of commands: tables, JSON, text without control characters.

On a terminal there is colour; anywhere else plain text, without a control
character even when a title or an error brings one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from arxiv_ingestion_client import JobReport
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PLAIN_WIDTH = 200  # columns where there is no terminal to fit into


def console(file: TextIO | None = None) -> Console:
    """A console on `file` (default: standard output), plain unless that is a terminal."""
    from rich.console import Console

    file = file or sys.stdout
    if file.isatty():
        return Console(file=file, highlight=False, markup=False, emoji=False)
    return Console(
        file=file,
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=False,
        no_color=True,
        width=PLAIN_WIDTH,
    )


def safe(value: object) -> str:
    """`value` as text that cannot move a cursor or ring a bell."""
    return _CONTROL.sub("?", str(value))


def print_json(document: object) -> None:
    """`document` as one line of JSON."""
    click.echo(json.dumps(document, separators=(",", ":")))


def print_message(message: str, *, as_json: bool) -> None:
    """A sentence, or a JSON object with it."""
    if as_json:
        print_json({"message": message})
    else:
        click.echo(safe(message))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; None is shown as nothing."""
    from rich.table import Column, Table
    from rich.text import Text

    # the first column names the row: it is never folded or cut, however narrow the terminal
    whole = max((len(safe(row[0])) for row in rows), default=0)
    table = Table(Column(columns[0], no_wrap=True, min_width=whole), *columns[1:], box=None)
    table.pad_edge = False
    for row in rows:
        table.add_row(*(Text("" if value is None else safe(value)) for value in row))
    console().print(table)


def print_facts(facts: Mapping[str, object], *, to: Console | None = None) -> None:
    """Names and values, one pair a line; None is shown as a dash."""
    from rich.text import Text

    to, width = to or console(), max(map(len, facts), default=0)
    for name, value in facts.items():
        shown = "-" if value is None else safe(value)
        to.print(Text.assemble((f"{name:<{width}}", "bold"), "  ", shown), soft_wrap=True)


def facts_of(job: JobReport) -> dict[str, object]:
    """Figures of a job, in the order in which they are printed."""
    counts = {name: job.count(name) for name in ("papers_fetched", "pdfs_processed")}
    return {
        "job": job.job_id,
        "status": job.status,
        "waiting for": waiting_of(job),
        "created": job.document.get("created_at"),
        "started": job.document.get("started_at"),
        "completed": job.document.get("completed_at"),
        "pages": job.count("pages_fetched"),
        "papers": f"{out_of(counts['papers_fetched'], job.find('papers_total'))}"
        f" ({job.count('papers_created')} new, {job.count('papers_updated')} updated,"
        f" {job.count('papers_skipped')} already held)",
        "PDFs": f"{job.count('pdfs_downloaded')} downloaded, {job.count('pdfs_failed')} failed,"
        f" {job.count('pdfs_unavailable')} not at arXiv, {job.count('pdfs_pending')} to come",
        "text": f"{counts['pdfs_processed']} extracted",
        "errors": job.count("errors_total"),
        "elapsed": duration(job.stats.get("elapsed_seconds")),
    }


def waiting_of(job: JobReport) -> str | None:
    """Why the job does not move, and since when; None when it moves."""
    reason, since = (job.stats.get(name) for name in ("waiting_for", "waiting_since"))
    return None if reason is None else f"{reason} since {since}"


def out_of(done: int, total: int | None) -> str:
    """`12/25`, or `12` while the total is not known."""
    return f"{done}" if total is None else f"{done}/{total}"


def duration(seconds: object) -> str | None:
    """`0:05`, `1:02:03`; None for what is no number of seconds."""
    if not isinstance(seconds, int | float):
        return None
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
