"""Metrics: what Prometheus reads, with and without a database."""

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from service.api.handlers.metrics import BUCKETS, METRICS
from service.db.fleet import FleetStore
from service.db.papers import PaperStore
from service.db.rate_limits import RateLimitStore
from service.domain.channels import Channel
from tests.conftest import make_paper

PROCESS = str(os.getpid())


async def samples(api, headers=None, reader=parse) -> dict[tuple, float]:
    """(name, labels but that of the process) → value."""
    response = await api.get("/metrics", headers=headers)
    assert response.status == 200
    found = {}
    for family in reader(await response.text()):
        assert family.documentation
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k != "process"}
            assert sample.labels.get("process", PROCESS) == PROCESS
            found[sample.name, *sorted(labels.values())] = sample.value
    return found


@pytest.fixture
def fresh(api):
    """Figures of the fleet that are read anew each time."""

    async def fresh() -> dict[tuple, float]:
        api.app[METRICS].fleet._read_at = float("-inf")
        return await samples(api)

    return fresh


async def test_they_need_no_token_and_name_nobody(serve, sql):
    await sql("INSERT INTO jobs (requested_by) VALUES ('alice')")
    anybody = await serve(sub=None)

    response = await anybody.get("/metrics")

    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "alice" not in await response.text()


async def test_openmetrics_is_spoken_where_it_is_asked_for(api):
    await api.get("/healthz")

    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    found = await samples(api, accept, parse_openmetrics)

    assert found["http_request_duration_seconds_count", "/healthz", "200", "GET"] == 1


async def test_requests_are_counted_by_route_method_and_status(api):
    unknown = "/api/v1/ingestion/job/123e4567-e89b-12d3-a456-42661417400"
    for n in range(3):
        await api.get(unknown + str(n))
    await api.get("/api/v1/papers/hep-th/9901001")
    await api.get("/nothing")
    await api.request("PROPFIND", "/nothing")
    await api.post("/healthz")

    counted = {
        key[1:]: value
        for key, value in (await samples(api)).items()
        if key[0] == "http_request_duration_seconds_count"
    }

    assert counted == {
        ("/api/v1/ingestion/job/{job_id}", "404", "GET"): 3,
        ("/api/v1/papers/{arxiv_id}", "404", "GET"): 1,
        ("404", "GET", "none"): 1,
        ("404", "none", "other"): 1,
        ("405", "POST", "none"): 1,
    }


async def test_what_a_client_makes_up_adds_no_series(api):
    before = len(await samples(api))

    for n in range(20):
        await api.get(f"/nothing/{n}")
        await api.get(f"/api/v1/papers/{n}")

    series = 3 * (len(BUCKETS) + 4)  # of two routes, and of /metrics itself
    assert len(await samples(api)) <= before + series


async def test_jobs_papers_tasks_and_pace_are_counted(api, fresh, sql, database):
    for status in ("pending", "running", "running", "failed"):
        await sql(f"INSERT INTO jobs (status) VALUES ('{status}')")
    await sql(
        "INSERT INTO pgqueuer (priority, status, entrypoint)"
        " VALUES (1, 'queued', 'pdf'), (1, 'queued', 'pdf'), (1, 'picked', 'harvest')"
    )
    await sql(
        "UPDATE upstream_pace SET turns = 7, refusals = 2, strikes = 1,"
        " silent_until = now() + interval '1 hour' WHERE lane = 'pdf'"
    )
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)

    found = await fresh()

    assert found["database_up",] == 1
    assert found["jobs", "running"] == 2
    assert found["jobs", "failed"] == 1
    assert found["tasks", "pdf", "queued"] == 2
    assert found["tasks", "harvest", "picked"] == 1
    assert found["papers", "none"] == 1
    assert found["arxiv_turns_total", "pdf"] == 7
    assert found["arxiv_refusals_total", "pdf"] == 2
    assert found["arxiv_strikes", "pdf"] == 1
    assert 1800 < found["arxiv_silence_seconds", "pdf"] <= 3600


async def test_turns_and_refusals_are_counted_where_they_happen(database, sql):
    second = timedelta(seconds=1)
    await sql("UPDATE upstream_pace SET turns = 0, refusals = 0")
    async with database.transaction() as conn:
        pace = RateLimitStore(conn)
        spans = {"interval": second, "lease": second, "probe": second}
        assert await pace.take(Channel.API, uuid4(), rank=0, **spans) is None
        assert await pace.take(Channel.API, uuid4(), rank=0, **spans) is not None
        await pace.book(Channel.PDF, interval=second, probe=second)
        await pace.book(Channel.PDF, interval=second, probe=second)
        await pace.cool_down(Channel.PDF, second, first=second, longest=second)
        lanes = {
            row.lane: (row.turns, row.refusals) for row in await FleetStore(conn).list_channels()
        }

    assert lanes == {"api": (1, 0), "pdf": (2, 1)}


async def test_this_process_is_measured(api):
    found = await samples(api)

    assert found["event_loop_lag_seconds", "p99"] >= 0
    assert found["database_connections", "most"] == 10
    assert found["process_resident_memory_bytes",] > 1_000_000


async def test_many_who_ask_at_once_cost_one_reading(api, api_database, monkeypatch):
    readings = []
    transaction = type(api_database).transaction
    monkeypatch.setattr(
        type(api_database),
        "transaction",
        lambda self: readings.append(self) or transaction(self),
    )
    api.app[METRICS].fleet._read_at = float("-inf")

    await asyncio.gather(*(api.app[METRICS].fleet.refresh() for _ in range(20)))

    assert len(readings) == 1


async def test_a_database_that_is_away_is_one_of_the_figures(fresh, sql):
    await sql("ALTER TABLE upstream_pace RENAME TO hidden")
    try:
        away = await fresh()
    finally:
        await sql("ALTER TABLE hidden RENAME TO upstream_pace")
    back = await fresh()

    assert away["database_up",] == 0
    assert ("arxiv_turns_total", "pdf") not in away
    assert away["process_resident_memory_bytes",] > 0
    assert back["database_up",] == 1
    assert ("arxiv_turns_total", "pdf") in back


async def test_every_metric_is_in_the_operations_page_and_no_other(fresh, sql, database):
    await sql("INSERT INTO jobs DEFAULT VALUES")
    await sql("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (1, 'queued', 'pdf')")
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)
    await fresh()  # a first request, for the second to tell of
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    section = page.split("## Metrics")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` ", section, re.MULTILINE))

    names = {key[0] for key in await fresh()}

    assert {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in names} == documented
