"""What the command `replica` does once its options are read: serve, or write the corpus."""

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.recordings import BadFolder
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.server import Replica, ReplicaOptions, running_replica
from service.devtools.stand_in.snapshot import write_snapshot

__all__ = ["BadFolder", "ReplicaOptions", "serve", "write"]


def serve(options: ReplicaOptions, *, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT, after a line on standard output that says where.

    Raises OSError when the address is taken, BadFolder for a folder without recordings.
    """
    _runner()(_serve(options, as_json=as_json))


def write(papers: int, seed: int, path: Path) -> None:
    """Write the corpus as a metadata file; raises OSError."""
    write_snapshot(Records(Corpus(papers, seed)), path)


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """What runs the server: uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _serve(options: ReplicaOptions, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running_replica(options) as running:
        print(_announcement(running, as_json=as_json), flush=True)
        await stopped.wait()


def _announcement(running: Replica, *, as_json: bool) -> str:
    """Where it listens, as one line of JSON or as a sentence."""
    urls = {
        "ARXIV_API_URL": running.api_url,
        "ARXIV_OAI_URL": running.oai_url,
        "ARXIV_PDF_URL": running.pdf_url,
        "ARXIV_HTML_URL": running.html_url,
    }
    if as_json:
        return json.dumps({"url": running.url, **urls})
    settings = " ".join(f"{name}={url}" for name, url in urls.items())
    return f"The stand-in arXiv listens on {running.url}; to use it set {settings}"
