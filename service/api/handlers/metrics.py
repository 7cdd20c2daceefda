"""Prometheus metrics: `/metrics`, counts only, and so without a token.

Two kinds of figures. Those of this process (requests, loop, pool, memory) carry
its id in the label `process`, since with several API processes any of them may
answer. Those of the whole fleet come from the database, are read at most once
in a few seconds whoever asks, and are left out while it is unavailable.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic, perf_counter
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool

from service.api.negotiation import PLAIN_TEXT
from service.api.openapi.operation import OPERATIONS_TAG, TEXT_SCHEMA, Answer, Content, describe
from service.db.engine import Database
from service.db.fleet import FleetStore
from service.db.statistics import StatsStore
from service.db.workers import WorkerStore
from service.domain.errors import DatabaseUnavailable

KEPT_SECONDS = 5.0  # figures of the fleet; Prometheus asks every 15 s by default
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
UNMATCHED = "none"  # route of a request whose path is not one of ours
STARTED: web.RequestKey[float] = web.RequestKey("started", float)  # on the fast path
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})

Lags = Callable[[], Mapping[str, float]]  # of the event loop: what → seconds


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(
        self, database: Database, lag: Lags, lines_dropped: Callable[[], int] = lambda: 0
    ) -> None:
        self.registry = CollectorRegistry()
        self.fleet = FleetFigures(database)
        self._process = str(os.getpid())
        self._requests = Histogram(
            "http_request_duration_seconds",
            "Requests answered, and how long each took until its handler had ended.",
            ("method", "route", "status", "process"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._series: dict[tuple[web.AbstractRoute, int], Histogram] = {}
        self.registry.register(self.fleet)
        self.registry.register(_ProcessFigures(self._process, database, lag))
        self.registry.register(_DroppedLines(lines_dropped))

    @web.middleware
    async def measure(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The outermost middleware: every answer counts."""
        started = request.get(STARTED) or perf_counter()
        response = await handler(request)
        route = request.match_info.route
        self.note(route, request.method, response.status, perf_counter() - started)
        return response

    def note(self, route: web.AbstractRoute, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        series = self._series.get((route, status))
        if series is None:
            series = self._series_of(method, route, status)
        series.observe(seconds)

    def _series_of(self, method: str, route: web.AbstractRoute, status: int) -> Histogram:
        resource = route.resource
        path = UNMATCHED if resource is None else resource.canonical
        shown = method if method in _METHODS else "other"
        series = self._requests.labels(shown, path, str(status), self._process)
        if resource is not None:  # else the route was made for this request alone
            self._series[route, status] = series
        return series


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


METRICS_EXAMPLE = '# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{status="completed"} 12.0\n'


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
    await metrics.fleet.refresh()
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    headers = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff"}
    return web.Response(body=encode(metrics.registry), headers=headers)


class FleetFigures(Collector):
    """Figures of the database as of the last `refresh`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._families: list[Metric] = []

    async def refresh(self) -> None:
        """Read anew, unless that was done a moment ago; many callers share one reading."""
        async with self._reading:
            if monotonic() - self._read_at < KEPT_SECONDS:
                return
            up = GaugeMetricFamily("database_up", "1 when the database answered, else 0.", 1)
            try:
                async with self._database.transaction() as conn:
                    self._families = [
                        up,
                        *await _fleet(FleetStore(conn), StatsStore(conn), WorkerStore(conn)),
                    ]
            except DatabaseUnavailable:
                up.samples.clear()
                up.add_metric((), 0)
                self._families = [up]
            self._read_at = monotonic()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known at registration."""
        return []

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        return self._families


async def _fleet(store: FleetStore, stats: StatsStore, workers: WorkerStore) -> list[Metric]:
    await stats.begin()
    lanes = await store.list_channels()
    tasks = [((row.kind, row.status), row.tasks) for row in await store.list_tasks()]
    turns = CounterMetricFamily(
        "arxiv_turns", "Turns to ask arXiv that were given out.", labels=("lane",)
    )
    refusals = CounterMetricFamily(
        "arxiv_refusals",
        "Responses of arXiv that asked for a cooldown or refused the request.",
        labels=("lane",),
    )
    for row in lanes:
        turns.add_metric((row.lane,), row.turns)
        refusals.add_metric((row.lane,), row.refusals)
    silences = [((row.lane,), row.silent_seconds) for row in lanes]
    strikes = [((row.lane,), row.strikes) for row in lanes]
    counted_jobs = [((key,), n) for key, n in (await stats.count_jobs()).counts.items()]
    counted_papers = [((key,), n) for key, n in (await stats.count_papers()).counts.items()]
    return [
        turns,
        refusals,
        _gauge("arxiv_silence_seconds", "How much longer nobody asks.", ("lane",), silences),
        _gauge("arxiv_strikes", "Refusals in a row.", ("lane",), strikes),
        _gauge("jobs", "Jobs.", ("status",), counted_jobs),
        _gauge("papers", "Papers held, by the state of their PDF.", ("pdf_state",), counted_papers),
        _gauge("tasks", "Tasks in the queue.", ("kind", "status"), tasks),
        GaugeMetricFamily("workers", "Workers alive.", await workers.count_alive()),
        CounterMetricFamily(
            "stalls", "Times that a worker claimed nothing of what was due.", await workers.stalls()
        ),
    ]


class _DroppedLines(Collector):
    """Log lines that this process could not write."""

    def __init__(self, lines_dropped: Callable[[], int]) -> None:
        self._lines_dropped = lines_dropped

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "log_lines_dropped", "Log lines that nobody took.", self._lines_dropped()
        )


class _ProcessFigures(Collector):
    """Event loop, pool, memory and files of this process, read on request."""

    def __init__(self, process: str, database: Database, lag: Lags) -> None:
        self._process, self._database, self._lag = process, database, lag
        self._system = ProcessCollector(registry=None)

    def describe(self) -> Iterable[Metric]:
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        name = self._process
        yield _gauge(
            "event_loop_lag_seconds",
            "How late the event loop was: at the last beat, and in the last minute.",
            ("of", "process"),
            [((key, name), value) for key, value in self._lag().items()],
        )
        pool = self._database.engine.pool
        if isinstance(pool, QueuePool):
            states = {"used": pool.checkedout(), "free": pool.checkedin(), "most": pool.size()}
            yield _gauge(
                "database_connections",
                "Connections of the pool: in use, free, and how many there may be.",
                ("state", "process"),
                [((key, name), value) for key, value in states.items()],
            )
        for family in self._system.collect():
            family.samples = [one._replace(labels={"process": name}) for one in family.samples]
            yield family


def _gauge(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[Any, float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
