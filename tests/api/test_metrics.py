"""Metrics: what Prometheus reads, with and without a database."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from service import __version__
from service.api.handlers.metrics import METRICS
from service.api.process_metrics import REQUEST_BUCKETS
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.db.workers import WorkerStore
from service.domain.channels import Channel
from service.domain.jobs import JobError, Stage
from tests.conftest import make_paper

PREFIX = "arxiv_ingestion_"


async def samples(api, headers=None, reader=parse) -> dict[tuple, float]:
    """(name without the prefix, labels) → value."""
    response = await api.get("/metrics", headers=headers)
    assert response.status == 200
    found = {}
    for family in reader(await response.text()):
        assert family.documentation
        assert family.name.startswith((PREFIX, "process_", "python_"))
        for sample in family.samples:
            name = sample.name.removeprefix(PREFIX)
            found[name, *sorted(sample.labels.values())] = sample.value
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

    series = 3 * (len(REQUEST_BUCKETS) + 4)  # of two routes, and of /metrics itself
    assert len(await samples(api)) <= before + series


async def test_jobs_papers_tasks_and_outages_are_counted(api, fresh, sql, database):
    for status in ("pending", "running", "running", "failed"):
        await sql(f"INSERT INTO jobs (status) VALUES ('{status}')")
    await sql(
        "INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)"
        " VALUES (1, 'queued', 'pdf', now() - interval '90 s'),"
        " (1, 'queued', 'pdf', now() + interval '1 hour'), (1, 'picked', 'harvest', now())"
    )
    await sql(
        "UPDATE upstream_pace SET failing_since = now() - interval '1 hour' WHERE lane = 'pdf'"
    )
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)
        await WorkerStore(conn).count_stall()

    found = await fresh()

    assert found["database_up",] == 1
    assert found["jobs", "running"] == 2
    assert found["jobs", "failed"] == 1
    assert found["tasks", "pdf", "queued"] == 2
    assert found["tasks", "harvest", "running"] == 1
    assert found["papers", "none"] == 1
    assert found["workers",] == 0
    assert found["stalls_total",] == 1
    assert 90 <= found["oldest_due_task_seconds",] < 3000
    assert found["arxiv_unavailable_seconds", "api"] == 0
    assert 3600 <= found["arxiv_unavailable_seconds", "pdf"] < 7000
    assert found["build_info", __version__] == 1


async def test_work_is_measured_where_it_is_committed(api, api_database, sql):
    (job,) = await sql(
        "INSERT INTO jobs (status, started_at) VALUES ('running', now() - interval '70 s')"
        " RETURNING id"
    )
    error = JobError(stage=Stage.PDF_DOWNLOAD, message="broken", code="corrupt")
    with contextlib.suppress(ZeroDivisionError):
        async with api_database.transaction() as conn:
            await JobStore(conn).add_errors(job.id, [error])
            assert await JobStore(conn).fail(job.id)
            raise ZeroDivisionError
    rolled_back = await samples(api)
    async with api_database.transaction() as conn:
        await JobStore(conn).add_errors(job.id, [error])
        assert await JobStore(conn).fail(job.id)
        assert not await JobStore(conn).fail(job.id)
    committed = await samples(api)

    assert rolled_back["jobs_finished_total", "failed"] == 0
    assert ("job_errors_total", "corrupt", "pdf_download") not in rolled_back
    assert committed["jobs_finished_total", "failed"] == 1
    assert committed["job_errors_total", "corrupt", "pdf_download"] == 1
    assert 70 <= committed["job_duration_seconds_sum",] < 3000


async def test_a_job_that_is_cancelled_or_completed_is_finished(api, api_database, sql):
    first, second = await sql(
        "INSERT INTO jobs (status, is_harvested) VALUES ('running', true), ('running', true)"
        " RETURNING id"
    )
    await api.delete(f"/api/v1/ingestion/job/{first.id}")
    async with api_database.transaction() as conn:
        await JobStore(conn).complete_finished([first.id, second.id])

    found = await samples(api)

    assert found["jobs_finished_total", "cancelled"] == 1
    assert found["jobs_finished_total", "completed"] == 1
    assert found["job_duration_seconds_count",] == 1


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
    assert ("arxiv_unavailable_seconds", "pdf") not in away
    assert away["process_resident_memory_bytes",] > 0
    assert back["database_up",] == 1
    assert ("arxiv_unavailable_seconds", "pdf") in back


async def test_every_metric_is_in_the_operations_page_and_no_other(api, fresh, sql, database):
    await sql("INSERT INTO jobs DEFAULT VALUES")
    await sql("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (1, 'queued', 'pdf')")
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)
    work = api.app[METRICS].work
    work.request_answered(Channel.API, 200, 0.1)
    work.slot_taken(Channel.API, 0.1)
    work.job_error(Stage.STORE, None)
    await fresh()  # a first request, for the second to tell of
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    section = page.split("## Metrics")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` ", section, re.MULTILINE))

    names = {key[0] for key in await fresh()}

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} == documented
