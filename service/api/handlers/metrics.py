"""Prometheus metrics: `/metrics`, counts only, and so without a token.

Two kinds of figures: those of the processes of one service (`process_metrics`), and those
of the whole fleet, from the database (`fleet_metrics`).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from service.api.fleet_metrics import FleetMetrics
from service.api.negotiation import PLAIN_TEXT
from service.api.openapi.operation import OPERATIONS_TAG, TEXT_SCHEMA, Answer, Content, describe
from service.api.process_metrics import BuildInfo, HttpMetrics, Lags, SystemMetrics, WorkMetrics
from service.db.engine import Database

PUBLISH_EVERY_SECONDS = 1.0


class Metrics:
    """The metrics of one process and, in `folder`, of those that share its port.

    With a `folder` the process must have joined it (`process.shared_metrics`) before.
    Without a `fleet` database only what the process itself does is shown.
    """

    def __init__(
        self,
        fleet: Database | None,
        lag: Lags,
        lines_dropped: Callable[[], int] = lambda: 0,
        *,
        folder: Path | None = None,
    ) -> None:
        own = CollectorRegistry()
        self.http, self.work = HttpMetrics(own), WorkMetrics(own)
        self.system = SystemMetrics(own, lag, lines_dropped, () if fleet is None else (fleet,))
        self.registry = own
        if folder is not None:
            self.registry = CollectorRegistry()
            join: Callable[[CollectorRegistry, str], object] = MultiProcessCollector
            join(self.registry, str(folder))
        self.registry.register(BuildInfo())
        PlatformCollector(registry=self.registry)
        self.fleet = None if fleet is None else FleetMetrics(fleet)
        if self.fleet is not None:
            self.registry.register(self.fleet)

    async def keep_published(self) -> None:
        """Let the other processes see this one's figures, until cancelled."""
        while True:
            self.system.publish()
            await asyncio.sleep(PUBLISH_EVERY_SECONDS)


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


METRICS_EXAMPLE = (
    "# HELP arxiv_ingestion_jobs Jobs.\n# TYPE arxiv_ingestion_jobs gauge\n"
    'arxiv_ingestion_jobs{status="completed"} 12.0\n'
)


@describe(
    name="getMetrics",
    tag=OPERATIONS_TAG,
    summary="Prometheus metrics",
    description="Counts only, in Prometheus' text format, or in OpenMetrics where accepted.",
    is_public=True,
    answers={
        200: Answer(
            description="The metrics.",
            content={
                PLAIN_TEXT: Content(TEXT_SCHEMA, METRICS_EXAMPLE),
                "application/openmetrics-text": Content(TEXT_SCHEMA, METRICS_EXAMPLE + "# EOF\n"),
            },
        )
    },
)
async def show_metrics(request: web.Request) -> web.Response:
    """GET /metrics → 200 in Prometheus' text format, or OpenMetrics where that is accepted."""
    metrics = request.app[METRICS]
    if metrics.fleet is not None:
        await metrics.fleet.refresh()
    metrics.system.publish()
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    headers = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff"}
    body = await asyncio.to_thread(encode, metrics.registry)  # may read the files of many
    return web.Response(body=body, headers=headers)
