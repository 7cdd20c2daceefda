"""Upstream of the demo: the configured arXiv, arXiv itself, or the stand-in."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from service.devtools.children import running
from service.devtools.standalone import PDF_WRITER, require

URL_VARIABLES = ("ARXIV_API_URL", "ARXIV_OAI_URL", "ARXIV_PDF_URL", "ARXIV_HTML_URL")
ARXIV_ROOT = "https://export.arxiv.org/"  # a page, not the query API: asking costs no pace
REACHED_WITHIN = timedelta(seconds=3)
STAND_IN_PAPERS = 200  # of which 57 are in cs.AI
STAND_IN_PACE = {
    "ARXIV_MIN_INTERVAL_SECONDS": "0.5",
    "ARXIV_PDF_PER_SECOND": "20",
    "ARXIV_HTML_MIN_INTERVAL_SECONDS": "0.5",
}
STOP_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Upstream:
    """What will be asked. `told` says which and why; `environ` is for the service's settings."""

    told: str
    environ: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def chosen(*, stand_in: bool, logs: Path, only: str | None = None) -> AsyncIterator[Upstream]:
    """The upstream to use until the end of the block. A variable that is set stays as it is.

    `only`: why it is the stand-in whatever is set.
    """
    if only is not None:
        require(PDF_WRITER)
        async with _stand_in(only, logs) as upstream:
            yield upstream
        return
    if configured := [name for name in URL_VARIABLES if os.environ.get(name)]:
        yield Upstream(f"It asks what {' and '.join(configured)} name, as configured.")
        return
    reason = "as --stand-in wants" if stand_in else await _why_unreachable()
    if reason is None:
        yield Upstream("It asks arXiv itself, which can be reached, at the pace that arXiv allows.")
        return
    require(PDF_WRITER)
    async with _stand_in(reason, logs) as upstream:
        yield upstream


async def _why_unreachable() -> str | None:
    """Why arXiv itself cannot be asked; None if it can be."""
    timeout = aiohttp.ClientTimeout(total=REACHED_WITHIN.total_seconds())
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.head(ARXIV_ROOT, allow_redirects=False) as response,
        ):
            if response.status < 400:
                return None
            return f"because arXiv answers with status {response.status}"
    except TimeoutError:
        return f"because arXiv does not answer within {REACHED_WITHIN.seconds} s"
    except (aiohttp.ClientError, OSError):
        return "because arXiv cannot be reached from here"


@asynccontextmanager
async def _stand_in(reason: str, logs: Path) -> AsyncIterator[Upstream]:
    command = ("replica", "--papers", str(STAND_IN_PAPERS), "--port", "0", "--json")
    async with running(
        command, environ=os.environ, log=logs / "replica.log", stop_within=STOP_WITHIN, tells=True
    ) as child:
        told = await child.first_line()
        pace = {name: value for name, value in STAND_IN_PACE.items() if not os.environ.get(name)}
        lifted = " ".join(f"{name}={value}" for name, value in pace.items())
        yield Upstream(
            f"It asks the stand-in on {told['url']}, {reason}: {STAND_IN_PAPERS} made-up papers"
            f" with real PDFs." + (f" A stand-in may be asked faster: {lifted}." if pace else ""),
            {**pace, **{name: told[name] for name in URL_VARIABLES}},
        )
