"""`python -m tests.load`: play callers with locust, and end with 1 where it was not good enough.

    python -m tests.load [--url URL] [--web] [options of locust and of tests/load/locustfile.py]

Without `--url` a service is started for it, with a database of its own and the stand-in in
place of arXiv, and jobs are submitted. With `--url` only what is there is looked at, unless
`--submit` is given: then see to it that the deployment asks a stand-in, for arXiv is not to
be load-tested. `--web` opens locust's own page in place of a run without one.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from service.cli.connection import base_url, make_token
from service.cli.settings import TOKEN_VARIABLE, load_settings
from service.cli.story import ready
from service.devtools import upstream
from service.devtools.children import running
from service.devtools.port import listening_port

LOCUST = Path(".venv-load/bin/python")
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_WITHIN = timedelta(seconds=60)
SHORT = ("--users", "50", "--spawn-rate", "25", "--run-time", "30s", "--html", "load-report.html")


@dataclass
class Target:
    """Where the callers call, and as whom."""

    url: str
    token: str
    more: tuple[str, ...] = field(default=())


def main() -> int:
    """Run with the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--url", help="a deployment; its token in ARXIV_INGESTION_TOKEN")
    parser.add_argument("--web", action="store_true", help="locust's web page on port 8089")
    own, others = parser.parse_known_args()
    if own.url and not os.environ.get(TOKEN_VARIABLE):
        parser.error(f"--url needs a token in {TOKEN_VARIABLE}")
    return asyncio.run(_run(own, others))


async def _run(own: argparse.Namespace, others: list[str]) -> int:
    async with AsyncExitStack() as stack:
        if own.url:
            target = Target(own.url, os.environ[TOKEN_VARIABLE])
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="load-"))
            target = await _service(stack, Path(folder))
        print(f"Calling {target.url}", flush=True)
        mode = ["--web-host", "127.0.0.1"] if own.web else ["--headless", "--only-summary"]
        command = ["-m", "locust", "-f", str(LOCUSTFILE), "--host", target.url, *mode, *SHORT]
        process = await asyncio.create_subprocess_exec(
            *(str(LOCUST), *command, *target.more, *others),
            env={**os.environ, TOKEN_VARIABLE: target.token},
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _service(stack: AsyncExitStack, folder: Path) -> Target:
    """A service of its own, until `stack` unwinds."""
    os.environ |= {"DATA_DIR": str(folder / "var"), "PORT": str(listening_port("127.0.0.1", 0))}
    os.environ |= {"HOST": "127.0.0.1", "DRAIN_SECONDS": "5"}
    settings = load_settings(quiet=True)
    logs = settings.data_dir / "logs"
    arxiv = await stack.enter_async_context(upstream.chosen(stand_in=True, logs=logs))
    pace = {"ARXIV_MIN_INTERVAL_SECONDS": "0.02"}
    environ = {**os.environ, **arxiv.environ, **pace}
    serving = running(("serve",), environ=environ, log=logs / "serve.log", stop_within=STOP_WITHIN)
    serve = await stack.enter_async_context(serving)
    await serve.beside(ready(base_url(settings), serve))
    return Target(base_url(settings), make_token(settings, "load"), ("--submit",))


if __name__ == "__main__":
    sys.exit(main())
