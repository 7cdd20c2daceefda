"""GET /stats: the figures are right, and their price does not grow."""

import asyncio

import pytest

from service.api.handlers.stats import Stats
from service.api.schemas.jobs import StatsSchema
from service.db import statistics
from service.db.statistics import StatsStore
from service.domain.jobs import Priority
from service.jobs.tasks import pdf_task
from service.worker.engine import enqueue

URL = "/api/v1/ingestion/stats"
ZERO = {"high": 0, "normal": 0, "low": 0, "in_work": 0}


@pytest.fixture
def add_papers(sql):
    """So many papers in that state, written so long ago."""

    async def add_papers(number, state="none", ago="0 seconds", archive="a"):
        await sql(
            "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
            " primary_category, published_at, updated_at, stored_at, pdf_state)"
            f" SELECT '{archive}/' || lpad(n::text, 7, '0'), 1, 't', 'a', '{{x}}', '{{cs.AI}}',"
            f" 'cs.AI', now(), now(), now() - interval '{ago}', '{state}'"
            f" FROM generate_series(1, {number}) AS n"
        )

    return add_papers


async def test_nothing_is_zero_everywhere(api):
    response = await api.get(URL)
    document = await response.json()

    assert response.status == 200
    assert StatsSchema().validate(document) == {}
    assert document.pop("as_of").endswith("Z")
    assert document == {
        "jobs": dict.fromkeys(("pending", "running", "completed", "failed", "cancelled"), 0),
        "papers": dict.fromkeys(("none", "downloaded", "processed", "failed", "unavailable"), 0),
        "throughput": {
            "last_minute": {"papers": 0, "pdfs": 0},
            "last_hour": {"papers": 0, "pdfs": 0},
        },
        "queue": {"harvest": ZERO, "pdf": ZERO},
        "estimated": [],
    }


async def test_jobs_and_papers_are_counted_by_state(api, sql, add_papers):
    await sql(
        "INSERT INTO jobs (status) SELECT s FROM unnest(ARRAY['pending', 'completed', 'completed',"
        " 'failed', 'running', 'running', 'running']) AS s"
    )
    await add_papers(3, "none")
    await add_papers(2, "unavailable", archive="b")

    document = await (await api.get(URL)).json()

    assert document["jobs"] == {
        "pending": 1,
        "running": 3,
        "completed": 2,
        "failed": 1,
        "cancelled": 0,
    }
    assert document["papers"]["none"] == 3
    assert document["papers"]["unavailable"] == 2


async def test_throughput_is_that_of_the_last_minute_and_hour(api, sql, add_papers):
    await add_papers(2)
    await add_papers(3, ago="10 minutes", archive="b")
    await add_papers(4, ago="2 hours", archive="c")
    await sql("INSERT INTO jobs (status) VALUES ('running')")
    await sql(
        "INSERT INTO job_papers (job_id, arxiv_id, state, updated_at) SELECT jobs.id, p.arxiv_id,"
        " CASE WHEN p.arxiv_id LIKE '%1' THEN 'processed' ELSE 'failed' END, p.stored_at"
        " FROM jobs, papers p"
    )

    document = await (await api.get(URL)).json()

    assert document["throughput"] == {
        "last_minute": {"papers": 2, "pdfs": 1},
        "last_hour": {"papers": 5, "pdfs": 2},
    }


async def test_the_queue_is_told_by_kind_and_urgency(api, sql, database):
    ((job_id,),) = await sql("INSERT INTO jobs (status) VALUES ('running') RETURNING id")
    urgencies = [Priority.LOW, Priority.NORMAL, Priority.NORMAL, Priority.HIGH]
    tasks = [
        pdf_task(job_id, urgency, f"2301.{n:05}", position=n * 9_000_000, again=False)
        for n, urgency in enumerate(urgencies)
    ]
    async with database.transaction() as conn:
        await enqueue(conn, tasks)
    await sql("UPDATE pgqueuer SET status = 'picked' WHERE dedupe_key LIKE '%00001'")

    document = await (await api.get(URL)).json()

    assert document["queue"] == {
        "harvest": ZERO,
        "pdf": {"high": 1, "normal": 1, "low": 1, "in_work": 1},
    }


async def test_beyond_the_bound_the_planner_is_asked_and_it_is_said(
    database, sql, add_papers, monkeypatch
):
    monkeypatch.setattr(statistics, "COUNTED_EXACTLY", 100)
    await add_papers(300)
    await add_papers(100, "failed", archive="b")
    await sql("ANALYZE papers")

    async with database.transaction() as conn:
        totals = await StatsStore(conn).count_papers()

    assert totals.estimated == {"none"}
    assert totals.counts == {
        "none": 300,
        "downloaded": 0,
        "processed": 0,
        "failed": 100,
        "unavailable": 0,
    }


async def test_without_statistics_what_was_counted_is_said(database, add_papers, monkeypatch):
    monkeypatch.setattr(statistics, "COUNTED_EXACTLY", 100)
    await add_papers(300)

    async with database.transaction() as conn:
        totals = await StatsStore(conn).count_papers()

    assert totals.counts["none"] >= 101
    assert totals.estimated == {"none"}


async def test_many_who_ask_at_once_cost_one_look(database, sql):
    figures = Stats(database)

    documents = await asyncio.gather(*(figures.document() for _ in range(50)))
    await sql("INSERT INTO jobs DEFAULT VALUES")
    kept = await figures.document()
    figures._looked_at -= 2
    fresh = await figures.document()

    assert all(document is kept for document in documents)
    assert (kept["jobs"]["pending"], fresh["jobs"]["pending"]) == (0, 1)


async def test_a_parameter_is_refused_and_so_are_other_methods(api):
    response = await api.get(f"{URL}?since=yesterday")
    problem = await response.json(content_type="application/problem+json")
    head = await api.head(URL)
    posted = await api.post(URL)

    assert (response.status, list(problem["errors"])) == (422, ["since"])
    assert (head.status, await head.read()) == (200, b"")
    assert (posted.status, posted.headers["Allow"]) == (405, "GET,HEAD")
