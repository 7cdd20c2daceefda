"""Explanation at the end of the demo: rows, status, next commands."""

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from arxiv_ingestion_client import JobReport
from rich.console import Console
from rich.text import Text

from service.cli.connection import base_url
from service.cli.output import duration, print_facts, safe
from service.config.settings import Settings

STATUS = "/api/v1/ingestion/job"
PSQL_WITHIN = timedelta(seconds=20)
TRY_NEXT = (
    ("ingest", "--category", "math.CO", "--max-papers", "10"),
    ("job", "list"),
    ("db", "psql"),
)
SHOWN_VARIABLES = ("DATA_DIR", "HOST", "PORT")  # no secret among them
ROWS = """\
SELECT status, percent, papers_fetched, pdfs_processed, pdfs_pending, errors_total,
       pdfs_per_second, age FROM job_overview WHERE id = '{job_id}'"""


async def explain(
    job: JobReport, settings: Settings, *, rows: Sequence[str], say: Console, token: str
) -> None:
    """Tell what the job has done, with its rows, and the request that shows its status.

    `rows`: statements whose rows are shown besides that of the job.
    """
    _heading(say, "What just happened")
    if job.count("papers_updated") and job.count("pdfs_processed"):
        _line(
            say,
            "Papers of an earlier run were held already; the demo asked for them once more"
            " (skip_duplicates: false), so metadata and PDFs were fetched again.",
        )
    print_facts(_facts(job, settings), to=say)
    await _show_rows([text.format(job_id=job.job_id) for text in (ROWS, *rows)], say)
    _heading(say, "Its status, as any caller sees it")
    url = f"{base_url(settings)}{STATUS}/{job.job_id}"
    _line(say, f"curl -s {shlex.quote(url)} -H {shlex.quote(f'Authorization: Bearer {token}')}")
    _line(say, json.dumps(job.document, separators=(",", ":")))


def how_to_go_on(settings: Settings, *, say: Console, token: str) -> None:
    """Tell what can be seen and done while the service stays up; the token is to be pasted."""
    url = base_url(settings)
    _heading(say, f"Up on {url} until Ctrl-C")
    print_facts(
        {
            "operators' page": f"{url}/ops, where this token is pasted:",
            "token": token,
            "API": f"{url}/docs",
        },
        to=say,
    )
    _heading(say, "Three commands to try next")
    for arguments in TRY_NEXT:
        _line(say, f"  {_command(*arguments)}")


def _facts(job: JobReport, settings: Settings) -> dict[str, object]:
    """Figures of the job; of files only where it had to do with any."""
    skipped = job.count("papers_skipped")
    papers = (
        f"{job.count('papers_fetched')} papers ({job.count('papers_created')} new,"
        f" {job.count('papers_updated')} fetched again"
    )
    metadata = f"{papers}{f', {skipped} unchanged' if skipped else ''}), in the table papers"
    listed = job.find("listed")
    facts: dict[str, object] = {"metadata": metadata}
    if listed is not None:
        facts["listed"] = f"{listed} papers by arXiv, day by day in the table coverage"
    if job.count("pdfs_downloaded") or (listed is None and not skipped):
        facts |= _files(job, settings)
    return {
        **facts,
        "errors": f"{job.count('errors_total')}, in the table job_errors",
        "time": duration(job.stats.get("elapsed_seconds")),
    }


def _files(job: JobReport, settings: Settings) -> dict[str, object]:
    lost = f"{job.count('pdfs_failed')} failed, {job.count('pdfs_unavailable')} not at arXiv"
    return {
        "PDFs": f"{job.count('pdfs_downloaded')} downloaded, {lost}, in {_storage(settings)}",
        "text": f"{job.count('pdfs_processed')} extracted, in the table paper_texts",
    }


def _storage(settings: Settings) -> object:
    return _near(settings.storage_root) if settings.bucket is None else settings.storage_url


async def _show_rows(statements: Sequence[str], say: Console) -> None:
    """What psql answers to `statements`; nothing where there is no psql."""
    arguments = ["db", "psql", "-X", *(part for one in statements for part in ("-c", one))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PSQL_WITHIN.total_seconds()):
            rows, _ = await process.communicate()
    except TimeoutError:
        rows = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        _heading(say, f"In the database: the job's row, and papers ({_command('db', 'psql')})")
        _line(say, "\n".join(map(safe, rows.decode(errors="replace").rstrip().split("\n"))))


def _heading(say: Console, text: str) -> None:
    say.print()
    say.print(Text(text, style="bold cyan"), soft_wrap=True)


def _line(say: Console, text: str) -> None:
    say.print(Text(text), soft_wrap=True)


def _command(*arguments: str) -> str:
    """A command of ours as one would type it here, with the variables that matter."""
    given = [f"{name}={os.environ[name]}" for name in SHOWN_VARIABLES if os.environ.get(name)]
    program = [str(_near(Path(sys.executable))), "-m", "service", *arguments]
    return shlex.join([*(["env", *given] if given else []), *program])


def _near(path: Path) -> Path:
    """`path` from the working directory, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
