"""`ingest`: submit a request and show its job until it is finished.

Only what the options say is put into the request; what they may be, and what
holds where they say nothing, is the service's to decide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from service.cli import connection
from service.cli.connection import client_for, connected
from service.cli.job import watch_to_end
from service.cli.labels import labels_option
from service.cli.output import duration, print_facts, print_json, safe
from service.domain.jobs import Priority

if TYPE_CHECKING:
    from arxiv_ingestion_client import EstimateDocument, IngestionClient, JobReport, ProblemError

T = TypeVar("T")

# option → where its value goes in the request
SEARCH_FIELDS = {
    "query": "query",
    "category": "category",
    "author": "author",
    "title": "title",
    "abstract": "abstract",
    "from_date": "from_date",
    "to_date": "to_date",
    "ids": "ids",
    "max_results": "max_results",
    "start": "start",
    "sort_by": "sort_by",
    "sort_order": "sort_order",
}
JOB_FIELDS = ("max_papers", "batch_size", "priority", "labels", "callback_url")
SOURCES = ("oai", "snapshot", "audit", "documents")
WINDOW_FIELDS = {"from_date": "from_date", "to_date": "to_date", "set_spec": "set"}
SOURCE_FIELDS = {  # source → option → where its value goes in the object of the source
    "oai": {**WINDOW_FIELDS, "metadata_format": "metadata_format"},
    "snapshot": {"snapshot_file": "file"},
    "audit": {**WINDOW_FIELDS, "heal": "heal"},
    "documents": {"ids": "ids"},
}
OPTION_OF = {"ids": "--id", "file": "--file"}  # the others are named as their field

AT_LEAST_ONE = click.IntRange(1)

_OPTIONS = (
    click.option(
        "--source", type=click.Choice(SOURCES), help="Where papers come from [default: a search]."
    ),
    click.option("--set", "set_spec", metavar="SET", help="Of oai and audit: cs, cs:cs:AI."),
    click.option(
        "--format",
        "metadata_format",
        type=click.Choice(["arXivRaw", "arXiv"]),
        help="Of oai: with all versions [default], or without.",
    ),
    click.option("--file", "snapshot_file", metavar="NAME", help="Of snapshot: in SNAPSHOT_DIR."),
    click.option("--heal", is_flag=True, help="Of audit: bring in what is missing or stale."),
    click.option(
        "--query", metavar="TEXT", help="In arXiv's own syntax: ti:electron AND cat:cs.AI."
    ),
    click.option("--category", metavar="NAME", help="cs.AI, hep-th, astro-ph.*"),
    click.option("--author", metavar="NAME"),
    click.option("--title", metavar="TEXT"),
    click.option("--abstract", metavar="TEXT"),
    click.option("--from-date", metavar="YYYYMMDD", help="First day of submission (or change)."),
    click.option("--to-date", metavar="YYYYMMDD", help="Last day of submission (or change)."),
    click.option("--id", "ids", metavar="ARXIV_ID", multiple=True, help="May be repeated."),
    click.option("--max-papers", type=AT_LEAST_ONE, metavar="N", help="Ingest at most so many."),
    click.option(
        "--max-results", type=AT_LEAST_ONE, metavar="N", help="Papers in one request to arXiv."
    ),
    click.option("--start", type=click.IntRange(0), metavar="N", help="Leave out so many results."),
    click.option("--batch-size", type=AT_LEAST_ONE, metavar="N", help="Papers committed at once."),
    click.option("--priority", type=click.Choice([str(one) for one in Priority])),
    click.option("--sort-by", metavar="KEY", help="submittedDate, lastUpdatedDate or relevance."),
    click.option("--sort-order", type=click.Choice(["descending", "ascending"])),
    labels_option,
    click.option("--callback-url", metavar="URL", help="Who is told when the job ends."),
    click.option("--no-pdfs", is_flag=True, help="No PDFs: metadata only, or with --html."),
    click.option("--html", "with_html", is_flag=True, help="arXiv's HTML, too: a page in 15 s."),
    click.option("--rewrite-duplicates", is_flag=True, help="Fetch again what is held already."),
    click.option(
        "--request", "file", type=click.File(), help="Take the JSON request from here (- is stdin)."
    ),
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options that make up a request."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@request_options
@connected
@click.option("--idempotency-key", metavar="KEY", help="Same key, same job [default: a new one].")
@click.option("--detach", is_flag=True, help="Print the job's id and do not watch it.")
@click.option(
    "--dry-run", is_flag=True, help="Create nothing; ask arXiv what the search would fetch."
)
@click.option("--json", "as_json", is_flag=True, help="Only the last status object.")
def ingest(
    *,
    url: str | None,
    token: str | None,
    idempotency_key: str | None,
    detach: bool,
    as_json: bool,
    file: IO[str] | None,
    dry_run: bool = False,
    **options: Any,  # noqa: ANN401 - click's border
) -> None:
    """Ingest papers from arXiv, and show the job's progress until it is finished.

    Options given beside --request replace its fields. Ctrl-C ends the watching
    and leaves the job running.
    """
    from arxiv_ingestion_client import MAX_WAIT

    request = build_request(read_request(file), options)
    client = client_for(url, token, patience=MAX_WAIT)
    if dry_run:
        _print_estimate(_asked(client, lambda c: c.dry_run(request)), as_json=as_json)
        return
    job = _submit(client, request, idempotency_key or str(uuid.uuid4()))
    if detach:
        print_json(job.document) if as_json else click.echo(safe(job.job_id))
        return
    click.echo(f"Job {safe(job.job_id)}", err=as_json)
    watch_to_end(url, token, job.job_id, as_json=as_json)


def build_request(base: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The request that `options` (by parameter name) describe, on top of `base`."""
    given = {name: value for name, value in options.items() if _is_given(value)}
    source = given.get("source", base.get("source", "search"))
    fields = SOURCE_FIELDS.get(source, SEARCH_FIELDS)
    own = source if source in SOURCE_FIELDS else "search_query"
    foreign = {"snapshot_file", "set_spec", "metadata_format", "heal", *SEARCH_FIELDS} - {*fields}
    for name in sorted(foreign & given.keys()):
        raise click.UsageError(f"{name.replace('_', '-')} does not go with the source {source}")
    criteria = dict(base.get(own) or {})
    criteria |= {fields[name]: given[name] for name in fields if name in given}
    request = {**base, own: criteria}
    if own == source:
        request["source"] = source
    request |= {name: given[name] for name in JOB_FIELDS if name in given}
    if "no_pdfs" in given:
        request["process_pdfs"] = False
    if "with_html" in given:
        request["process_html"] = True
    if "rewrite_duplicates" in given:
        request["skip_duplicates"] = False
    return request


def _is_given(value: object) -> bool:
    """Whether an option was given; 0 is a value like any other."""
    return value is not None and value is not False and value not in ((), {})


def read_request(file: IO[str] | None) -> Mapping[str, Any]:
    """The JSON object in `file`; empty when there is no file."""
    if file is None:
        return {}
    try:
        document = json.load(file)
    except (ValueError, RecursionError):
        raise click.UsageError("--request: this is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("search_query", {}), dict):
        raise click.UsageError("--request: a JSON object with an object search_query is needed")
    return document


def _submit(client: IngestionClient, request: Mapping[str, Any], key: str) -> JobReport:
    """The recorded job."""
    return _asked(client, lambda c: c.submit(request, idempotency_key=key))


def _asked(client: IngestionClient, action: Callable[[IngestionClient], Awaitable[T]]) -> T:
    """What `action` returns; a usage error when the service finds the request wrong."""
    from arxiv_ingestion_client import ProblemError

    try:
        return connection.run(client, action)
    except ProblemError as err:
        if err.status not in (400, 422):
            raise
        raise click.UsageError(explain(err)) from None


def _print_estimate(found: EstimateDocument, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "at arXiv": found["total"],
            "to ingest": found["estimated_papers"],
            "requests": found["requests"],
            "at least": duration(found["estimated_seconds"]),
        }
    )


def explain(problem: ProblemError) -> str:
    """What is wrong with a request, in the names of the options."""
    told = [
        f"{_option(field)}: {' '.join(texts)}" for field, texts in sorted(problem.errors.items())
    ]
    return safe("; ".join(told) or problem.detail or problem.title)


def _option(field: str) -> str:
    """`--from-date` for `search_query.from_date`; the field itself if no option sets it."""
    for source in ("search_query", *SOURCES):
        field = field.removeprefix(f"{source}.")
    name = field.partition(".")[0]
    if name in SEARCH_FIELDS or name in JOB_FIELDS or name in ("set", "file", "heal"):
        return OPTION_OF.get(name, "--" + name.replace("_", "-"))
    return field
