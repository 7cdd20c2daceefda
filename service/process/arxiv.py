"""The arXiv client of a process, under the fleet's rate limit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from service.arxiv.client import ArxivClient
from service.arxiv.http import client_session
from service.arxiv.limits import ClientLimits, Waits
from service.arxiv.rate_limiter import FleetRateLimiter
from service.config.settings import Settings, is_arxiv
from service.db.engine import Database


@asynccontextmanager
async def arxiv_client(
    settings: Settings,
    database: Database,
    *,
    connections: int,
    limits: ClientLimits | None = None,
    waits: Waits | None = None,
) -> AsyncIterator[ArxivClient]:
    """A client for the block, for as many requests at once as it may have `connections`.

    `limits` and `waits`: deadlines and waits towards arXiv, if not the usual ones.
    """
    pace = FleetRateLimiter(
        database=database,
        api_interval=timedelta(seconds=settings.arxiv_min_interval_seconds),
        pdf_interval=timedelta(seconds=1 / settings.arxiv_pdf_per_second),
        html_interval=timedelta(seconds=settings.arxiv_html_min_interval_seconds),
        lease=timedelta(seconds=settings.lease_seconds),
        waits=waits or Waits(),
        measurements=database.measurements,
    )
    hosts = {
        urlsplit(url).hostname or ""
        for url in (
            *(settings.arxiv_api_url, settings.arxiv_oai_url),
            *(settings.arxiv_pdf_url, settings.arxiv_html_url),
        )
    }
    async with client_session(
        connections=connections,
        trusted=[host for host in hosts if not is_arxiv(host)],
    ) as session:
        yield ArxivClient(
            session,
            api_url=settings.arxiv_api_url,
            pdf_url=settings.arxiv_pdf_url,
            html_url=settings.arxiv_html_url,
            contact=settings.arxiv_contact,
            pace=pace,
            limits=limits,
            measurements=database.measurements,
        )
