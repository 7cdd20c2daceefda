"""Metrics of the whole fleet, from the database: every process shows the same.

They are read at most once a second whoever asks, and left out while the database is away.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.api.process_metrics import PREFIX
from service.db.engine import Database
from service.db.fleet import FleetStore
from service.db.paper_changes import ChangeStore
from service.db.statistics import StatsStore
from service.db.workers import WorkerStore
from service.domain.errors import DatabaseUnavailable

KEPT_SECONDS = 1.0


class FleetMetrics(Collector):
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
            try:
                async with self._database.transaction() as conn:
                    found = await _fleet(FleetStore(conn), StatsStore(conn), WorkerStore(conn))
                    held_up = await ChangeStore(conn).held_up_seconds()
                self._families = [_up(1), *found, _held_up(held_up)]
            except DatabaseUnavailable:
                self._families = [_up(0)]
            self._read_at = monotonic()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known at registration."""
        return []

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        return self._families


async def _fleet(store: FleetStore, stats: StatsStore, workers: WorkerStore) -> list[Metric]:
    await stats.begin()
    queue = await store.list_queue()
    tasks = [
        ((row.kind, status), count)
        for row in queue
        for status, count in (("queued", row.queued), ("running", row.running))
    ]
    outages = [((channel,), seconds) for channel, seconds in await store.list_outages()]
    counted_jobs = [((key,), n) for key, n in (await stats.count_jobs()).counts.items()]
    counted_papers = [((key,), n) for key, n in (await stats.count_papers()).counts.items()]
    oldest = max((row.oldest_due_seconds for row in queue), default=0.0)
    return [
        _gauge("jobs", "Jobs.", ("status",), counted_jobs),
        _gauge("papers", "Papers held, by the state of their PDF.", ("pdf_state",), counted_papers),
        _gauge("tasks", "Tasks in the queue.", ("kind", "status"), tasks),
        _gauge("oldest_due_task_seconds", "How long the oldest task is due.", (), [((), oldest)]),
        _gauge(
            "arxiv_unavailable_seconds", "How long arXiv has not answered.", ("channel",), outages
        ),
        _gauge("workers", "Workers alive.", (), [((), await workers.count_alive())]),
        CounterMetricFamily(
            f"{PREFIX}_stalls",
            "Times that a worker claimed nothing of what was due.",
            await workers.stalls(),
        ),
    ]


def _up(value: int) -> Metric:
    return _gauge("database_up", "1 when the database answered, else 0.", (), [((), value)])


def _held_up(seconds: float) -> Metric:
    name, text = "change_feed_held_up_seconds", "How long an open transaction holds changes back."
    return _gauge(name, text, (), [((), seconds)])


def _gauge(
    name: str, text: str, labels: tuple[str, ...], samples: Iterable[tuple[Any, float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
