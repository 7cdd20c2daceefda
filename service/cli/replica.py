"""`replica`: run the stand-in arXiv until it is told to stop.

For demos and load tests; tests of ours run it inside their own process with
`service.devtools.stand_in.server.running_replica`.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.devtools.stand_in.corpus import MAX_PAPERS
from service.devtools.standalone import PDF_WRITER, require

if TYPE_CHECKING:
    from service.devtools.stand_in.faults import RateFault

if TYPE_CHECKING:
    from service.devtools.stand_in.server import Replica, ReplicaOptions


class FaultType(click.ParamType["RateFault"]):
    """A fault as it is written on the command line."""

    name = "fault"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> RateFault:
        """The fault that `value` describes; a usage error when it is none."""
        from service.devtools.stand_in.faults import BadFault, RateFault

        if isinstance(value, RateFault):
            return value
        try:
            return RateFault.read(str(value))
        except BadFault as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class FaultOption(click.Option):
    """An option whose help names the kinds of faults, looked up when it is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """What `--help` shows, with the kinds."""
        from service.devtools.stand_in.faults import KINDS

        known = super().get_help_record(ctx)
        return known and (known[0], f"{known[1]} Kinds: {', '.join(KINDS[1:])}.")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8090, show_default=True, help="0: any free."
)
@click.option(
    "--papers",
    type=click.IntRange(1, MAX_PAPERS),
    default=1_000,
    show_default=True,
    help="Size of the made-up corpus.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Which corpus, which faults.")
@click.option(
    "--fault",
    "faults",
    type=FaultType(),
    multiple=True,
    help="rate=0.05,kind=503[,lane=api|pdf][,retry_after=7]; may be repeated.",
    cls=FaultOption,
)
@click.option("--latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds before a PDF.")
@click.option(
    "--api-latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds before a page."
)
@click.option("--bandwidth", type=click.IntRange(1), help="Bytes per second of one PDF download.")
@click.option(
    "--log",
    "log_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Append one JSON line per request to this file.",
)
@click.option(
    "--from",
    "recordings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve the recorded answers (*.xml) in this folder instead of a made-up corpus.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when listening.")
def replica(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click's border
    """Run the stand-in arXiv: query API and PDFs over a made-up corpus, with faults on demand.

    Ends with exit code 0 on SIGTERM or Ctrl-C.
    """
    require(PDF_WRITER)
    from service.devtools.stand_in.recordings import BadFolder
    from service.devtools.stand_in.server import ReplicaOptions

    try:
        _runner()(_serve(ReplicaOptions(**options), as_json=as_json))
    except (OSError, BadFolder) as error:
        raise click.ClickException(f"cannot serve: {error}") from error


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """What runs the server: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _serve(options: ReplicaOptions, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    from service.devtools.stand_in.server import running_replica

    async with running_replica(options) as running:
        click.echo(_announcement(running, as_json=as_json))
        await stopped.wait()


def _announcement(running: Replica, *, as_json: bool) -> str:
    """Where it listens, as one line of JSON or as a sentence."""
    urls = {
        "ARXIV_API_URL": running.api_url,
        "ARXIV_OAI_URL": running.oai_url,
        "ARXIV_PDF_URL": running.pdf_url,
    }
    if as_json:
        return json.dumps({"url": running.url, **urls})
    settings = " ".join(f"{name}={url}" for name, url in urls.items())
    return f"The stand-in arXiv listens on {running.url}; to use it set {settings}"
