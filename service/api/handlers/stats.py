"""GET /stats: totals, throughput and queue depth."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from service.api.handlers.jobs import json_response
from service.api.job_status import to_iso8601
from service.api.openapi.operation import OPERATIONS_TAG, describe, json_answer
from service.api.schemas.jobs import STATS_EXAMPLE, StatsQuerySchema, StatsSchema
from service.api.schemas.loading import load_query
from service.db.engine import Database
from service.db.statistics import StatsStore
from service.jobs.tasks import HARVEST, LEVELS, PDF

KEPT_SECONDS = 1.0
WINDOWS = {"last_minute": timedelta(minutes=1), "last_hour": timedelta(hours=1)}


@dataclass(slots=True)
class Stats:
    """The figures, looked up at most once a second however many ask."""

    database: Database
    _document: dict[str, Any] | None = None
    _looked_at: float = 0.0
    _looking: asyncio.Task[dict[str, Any]] | None = None

    async def document(self) -> dict[str, Any]:
        """The figures as of a second ago at most; raises DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        if self._document is not None and loop.time() - self._looked_at < KEPT_SECONDS:
            return self._document
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look(), name="stats")
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Let a read that is under way end."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look(self) -> dict[str, Any]:
        async with self.database.transaction() as conn:
            document = await _figures(StatsStore(conn))
        self._document, self._looked_at = document, asyncio.get_running_loop().time()
        return document


STATS: web.AppKey[Stats] = web.AppKey("stats", Stats)


@describe(
    name="getStats",
    tag=OPERATIONS_TAG,
    summary="Totals, throughput and queue",
    description="Up to a second old. Totals that are estimates are named in `estimated`.",
    query=StatsQuerySchema,
    answers={200: json_answer("The metrics.", StatsSchema, STATS_EXAMPLE)},
)
async def get_stats(request: web.Request) -> web.Response:
    """GET /stats → 200."""
    load_query(StatsQuerySchema(), request.query)
    return json_response(await request.app[STATS].document())


async def _figures(store: StatsStore) -> dict[str, Any]:
    now = await store.begin()
    jobs, papers = await store.count_jobs(), await store.count_papers()
    throughput = {}
    for name, window in WINDOWS.items():
        stored, processed = await store.count_recent(window)
        throughput[name] = {"papers": stored, "pdfs": processed}
    return {
        "as_of": to_iso8601(now),
        "jobs": jobs.counts,
        "papers": papers.counts,
        "throughput": throughput,
        "queue": {kind: await _queue(store, kind) for kind in (HARVEST, PDF)},
        "estimated": [
            *(f"jobs.{status}" for status in sorted(jobs.estimated)),
            *(f"papers.{state}" for state in sorted(papers.estimated)),
        ],
    }


async def _queue(store: StatsStore, kind: str) -> dict[str, int]:
    waiting = {
        str(priority): await store.count_waiting(kind, lowest=lowest, highest=highest)
        for priority, (lowest, highest) in LEVELS.items()
    }
    return {**waiting, "in_work": await store.count_in_work(kind)}
