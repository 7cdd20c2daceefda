"""Metrics of the processes of one service: requests, work, event loop, pools, memory.

A process that shares its port with others keeps its figures in a folder that they share
(the multiprocess mode of prometheus_client), so that each answers with the sum of all,
and no counter goes back when one of them ends.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import product
from time import monotonic
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool

from service import __version__
from service.db.engine import Database
from service.domain.channels import Channel
from service.domain.jobs import JobStatus, Stage
from service.domain.measurements import Measurements

PREFIX = "arxiv_ingestion"
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
WORK_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
JOB_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 604_800.0)
NO_ANSWER = "none"  # status of a request to arXiv that had none
NO_CODE = "none"
UNMATCHED = "none"  # route of a request whose path is not one of ours
KINDS = ("harvest", "pdf", "html", "webhook")
OUTCOMES = ("succeeded", "retried", "failed", "cancelled")
FINISHED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})

# on the fast path; found faster than a key of the request that is not there
STARTED: ContextVar[float | None] = ContextVar("started", default=None)

Lags = Callable[[], Mapping[str, float]]  # of the event loop: what → seconds

_DISABLE: Callable[[], None] = disable_created_metrics
_DISABLE()  # the multiprocess mode has none, and they double the series


class HttpMetrics:
    """Requests answered by this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "http_request_duration_seconds",
            "Requests answered, and how long each took until its handler had ended.",
            ("method", "route", "status"),
            namespace=PREFIX,
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._series: dict[tuple[web.AbstractRoute, int], Histogram] = {}

    @web.middleware
    async def measure(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware: every answer counts."""
        started = STARTED.get() or monotonic()
        response = await handler(request)
        route = request.match_info.route
        self.note(route, request.method, response.status, monotonic() - started)
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
        series = self._requests.labels(shown, path, str(status))
        if resource is not None:  # else the route was made for this request alone
            self._series[route, status] = series
        return series


class WorkMetrics(Measurements):
    """Jobs, tasks and requests to arXiv of this process, as Prometheus counts them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._requests = self._counter(
            "arxiv_requests", "Requests to arXiv, by HTTP status.", "channel", "status"
        )
        self._request_seconds = self._histogram(
            "arxiv_request_duration_seconds",
            "Requests to arXiv: time until the answer began, or did not come.",
            "channel",
        )
        self._slot_seconds = self._histogram(
            "rate_limit_wait_seconds", "Waits of requests for the rate limit.", "channel"
        )
        self._tasks = self._counter("tasks_finished", "Runs of tasks.", "kind", "outcome")
        self._errors = self._counter("job_errors", "Errors of jobs.", "stage", "code")
        self._jobs = self._counter("jobs_finished", "Jobs that have ended.", "status")
        self._page_seconds = self._histogram("page_duration_seconds", "Pages fetched and stored.")
        self._pdf_seconds = self._histogram("pdf_duration_seconds", "PDFs fetched and processed.")
        self._text_seconds = self._histogram("extraction_duration_seconds", "Texts extracted.")
        self._job_seconds = Histogram(
            "job_duration_seconds",
            "Jobs completed or failed, from their start to their end.",
            namespace=PREFIX,
            buckets=JOB_BUCKETS,
            registry=registry,
        )
        for status in FINISHED:  # from zero on, or the first increase would not be seen
            self._jobs.labels(str(status))
        for kind, outcome in product(KINDS, OUTCOMES):
            self._tasks.labels(kind, outcome)

    def request_answered(self, channel: Channel, status: int | None, seconds: float) -> None:
        """Count a request, and observe its time."""
        self._requests.labels(str(channel), NO_ANSWER if status is None else str(status)).inc()
        self._request_seconds.labels(str(channel)).observe(seconds)

    def slot_taken(self, channel: Channel, seconds: float) -> None:
        """Observe a wait."""
        self._slot_seconds.labels(str(channel)).observe(seconds)

    def task_ended(self, kind: str, outcome: str) -> None:
        """Count a run."""
        self._tasks.labels(kind, outcome).inc()

    def page_stored(self, seconds: float) -> None:
        """Observe a page."""
        self._page_seconds.observe(seconds)

    def pdf_processed(self, seconds: float) -> None:
        """Observe a PDF."""
        self._pdf_seconds.observe(seconds)

    def text_extracted(self, seconds: float) -> None:
        """Observe an extraction."""
        self._text_seconds.observe(seconds)

    def job_error(self, stage: Stage, code: str | None) -> None:
        """Count an error."""
        self._errors.labels(str(stage), code or NO_CODE).inc()

    def job_ended(self, status: JobStatus, seconds: float | None) -> None:
        """Count a job, and observe its time if that is known."""
        self._jobs.labels(str(status)).inc()
        if seconds is not None:
            self._job_seconds.observe(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            name, text, labels, namespace=PREFIX, buckets=WORK_BUCKETS, registry=self._registry
        )


class SystemMetrics:
    """Event loop, pools, log and operating system, as of the last `publish`.

    `databases` are the pools of this process; more may be added.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        lag: Lags,
        lines_dropped: Callable[[], int],
        databases: Iterable[Database] = (),
    ) -> None:
        self.databases = list(databases)
        self._lag, self._lines_dropped = lag, lines_dropped
        self._system = ProcessCollector(registry=None)
        self._published: dict[str, float] = {}  # counters, as far as they were added
        self._late = Gauge(
            "event_loop_lag_seconds",
            "How late the event loop was: at the last beat, and in the last minute.",
            ("of",),
            namespace=PREFIX,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._connections = Gauge(
            "database_connections",
            "Connections of the pools: in use, free, and how many there may be.",
            ("state",),
            namespace=PREFIX,
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._dropped = Counter(
            "log_lines_dropped", "Log lines that nobody took.", namespace=PREFIX, registry=registry
        )
        self._families = {
            family.name: _published_as(family, registry) for family in self._system.collect()
        }

    def publish(self) -> None:
        """Bring all figures up to date."""
        for key, seconds in self._lag().items():
            self._late.labels(key).set(seconds)
        for state, count in self._pools().items():
            self._connections.labels(state).set(count)
        self._add(self._dropped, "log_lines_dropped", self._lines_dropped())
        for family in self._system.collect():
            metric, value = self._families[family.name], family.samples[0].value
            if isinstance(metric, Counter):
                self._add(metric, family.name, value)
            else:
                metric.set(value)

    def _add(self, counter: Counter, name: str, total: float) -> None:
        counter.inc(max(0.0, total - self._published.get(name, 0.0)))
        self._published[name] = total

    def _pools(self) -> dict[str, int]:
        pools = [one.engine.pool for one in self.databases]
        sized = [pool for pool in pools if isinstance(pool, QueuePool)]
        return {
            "used": sum(pool.checkedout() for pool in sized),
            "free": sum(pool.checkedin() for pool in sized),
            "most": sum(pool.size() for pool in sized),
        }


class BuildInfo(Collector):
    """Which version answers."""

    def collect(self) -> Iterator[Metric]:
        """One series, 1."""
        family = GaugeMetricFamily(
            f"{PREFIX}_build_info", "The version that answers.", labels=("version",)
        )
        family.add_metric((__version__,), 1)
        yield family


def _published_as(family: Metric, registry: CollectorRegistry) -> Counter | Gauge:
    """What a figure of the operating system is published as; over processes it is summed."""
    if family.type == "counter":
        return Counter(family.name, family.documentation, registry=registry)
    mode: Literal["livemin", "livesum"]
    mode = "livemin" if family.name == "process_start_time_seconds" else "livesum"
    text = family.documentation
    return Gauge(family.name, text, registry=registry, multiprocess_mode=mode)
