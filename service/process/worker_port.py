"""The port of a worker: `/healthz` and `/metrics` of a process that has no API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from service.api.access_log import AccessLog
from service.api.handlers.health import live
from service.api.handlers.metrics import METRICS, Metrics, show_metrics
from service.api.middlewares.errors import problems
from service.api.request_context import request_context
from service.api.server import Runner, base_url
from service.process.background import beside
from service.process.logging import lines_dropped
from service.process.loop_lag import LoopLag

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def worker_port(host: str, port: int | None) -> AsyncIterator[Metrics]:
    """The metrics of a worker, shown at `port` during the block (None: nowhere)."""
    lag = LoopLag()
    metrics = Metrics(None, lag.figures, lines_dropped)
    if port is None:
        yield metrics
        return
    app = web.Application(middlewares=[request_context, metrics.http.measure, problems])
    app[METRICS] = metrics
    app.router.add_get("/healthz", live)
    app.router.add_get("/metrics", show_metrics)
    runner = Runner(app, access_log_class=AccessLog)
    try:
        await runner.listen(host, port)
        _log.info("listening", url=base_url(runner))
        async with beside(lag.watch()):
            yield metrics
    finally:
        await runner.cleanup()
