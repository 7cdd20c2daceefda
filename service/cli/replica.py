"""`replica`: run the stand-in arXiv until it is stopped.

For demos and load tests; tests of ours run it inside their own process with
`service.devtools.stand_in.server.running_replica`.
"""

from pathlib import Path
from typing import Any

import click

from service.devtools.stand_in.corpus import MAX_PAPERS
from service.devtools.stand_in.faults import KINDS, BadFault, RateFault
from service.devtools.stand_in.oai import IDENTIFIERS, RECORDS
from service.devtools.stand_in.traps import GROUP, TRAPS, BadTrap, Setting
from service.devtools.standalone import PDF_WRITER, require


class FaultType(click.ParamType[RateFault]):
    """A fault as it is written on the command line."""

    name = "fault"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> RateFault:
        """The fault that `value` describes; a usage error when it is none."""
        if isinstance(value, RateFault):
            return value
        try:
            return RateFault.read(str(value))
        except BadFault as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class TrapType(click.ParamType[Setting]):
    """A trap as it is written on the command line."""

    name = "trap"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Setting:
        """The trap that `value` names; a usage error when there is none."""
        if isinstance(value, Setting):
            return value
        try:
            return Setting.read(str(value))
        except BadTrap as error:
            self.fail(str(error), param, ctx)


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
    help="rate=0.05,kind=503[,lane=api|oai|pdf|html][,retry_after=7]; may be repeated. Kinds: "
    + ", ".join(KINDS[1:])
    + ".",
)
@click.option(
    "--trap",
    "traps",
    type=TrapType(),
    multiple=True,
    help="NAME[=NUMBER]; may be repeated. A way in which arXiv differs from what one expects "
    f"(docs/stand-in.md): {', '.join(TRAPS)}; {GROUP} means those that it shows at any time.",
)
@click.option(
    "--oai-records", type=click.IntRange(1), default=RECORDS, show_default=True, help="In a page."
)
@click.option(
    "--oai-identifiers",
    type=click.IntRange(1),
    default=IDENTIFIERS,
    show_default=True,
    help="In a page of ListIdentifiers.",
)
@click.option(
    "--port-per-channel",
    is_flag=True,
    help="A free port for each channel besides, so that one alone can refuse connections.",
)
@click.option(
    "--write-snapshot",
    "snapshot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the corpus as Kaggle's metadata file (.gz, .zst, .zip: packed), and end.",
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
def replica(*, as_json: bool, snapshot: Path | None, **options: Any) -> None:  # noqa: ANN401 - click's border
    """Run the stand-in arXiv: query API, OAI-PMH, PDFs and HTML over a made-up corpus.

    With faults and traps on demand. Ends with exit code 0 on SIGTERM or Ctrl-C.
    """
    require(PDF_WRITER)
    from service.devtools.stand_in import command  # not needed for help

    try:
        if snapshot is not None:
            command.write(options["papers"], options["seed"], snapshot)
        else:
            command.serve(command.ReplicaOptions(**options), as_json=as_json)
    except (OSError, command.BadFolder) as error:
        raise click.ClickException(f"cannot {'write' if snapshot else 'serve'}: {error}") from error
