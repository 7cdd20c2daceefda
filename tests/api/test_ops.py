"""The operators' page and what it shows."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from service.api.handlers import ops
from service.api.schemas.ops import OverviewSchema
from service.db.papers import PaperStore
from service.db.workers import WorkerStore
from tests.conftest import make_paper

OVERVIEW = "/api/v1/ingestion/overview"
FILES = ["/ops", "/ops/ops.css", "/ops/ops.js"]
WEB = Path(ops.__file__).parents[1] / "static"


@pytest.mark.parametrize("path", FILES)
async def test_the_page_is_public_and_loads_nothing_from_elsewhere(serve, path):
    anybody = await serve(sub=None)

    response = await anybody.get(path)
    policy = dict(
        one.strip().split(" ", 1) for one in response.headers["Content-Security-Policy"].split(";")
    )

    assert response.status == 200
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "//" not in re.sub(r"^\s*// .*$", "", await response.text(), flags=re.MULTILINE)


async def test_each_file_says_what_it_is(api):
    kinds = [(await api.get(path)).headers["Content-Type"] for path in FILES]

    assert kinds == [f"text/{kind}; charset=utf-8" for kind in ("html", "css", "javascript")]


def test_the_page_has_no_script_style_or_handler_of_its_own():
    page = (WEB / "ops.html").read_text()

    assert re.findall(r"<script(?![^>]* src=\"ops/ops\.js\")", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []


def test_the_script_sets_nothing_but_text():
    script = (WEB / "ops.js").read_text()

    ways_to_markup = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|DOMParser"
    assert re.findall(ways_to_markup, script) == []
    assert "localStorage" not in script
    assert "cookie" not in script


def test_the_script_finds_what_it_looks_for():
    page, script = (WEB / "ops.html").read_text(), (WEB / "ops.js").read_text()

    wanted = set(re.findall(r'(?:byId|fill)\("(\w+)"', script))

    assert wanted
    assert wanted <= set(re.findall(r'id="(\w+)"', page))


async def test_what_it_shows_needs_a_token(serve):
    assert (await (await serve(sub=None)).get(OVERVIEW)).status == 401


@pytest.fixture
async def busy(sql, database):
    """A fleet with one of everything, and a hostile title."""
    async with database.transaction() as conn:
        title = "<script>alert(1)</script>"
        await PaperStore(conn).upsert([make_paper(title=title)], overwrite=True)
        facts = {"host": "here", "pid": 7, "version": "1", "tasks": 3}
        await WorkerStore(conn).beat(uuid4(), lease=timedelta(seconds=100), **facts)
        await WorkerStore(conn).count_stall()
    await sql(
        "INSERT INTO jobs (status, papers_total, papers_fetched, started_at, taken_up_at)"
        " VALUES ('running', 10, 5, now() - interval '10 s', now())"
    )
    await sql(
        "INSERT INTO job_papers (job_id, arxiv_id, version, state, attempts, reason)"
        " SELECT id, '2301.00001', 1, 'failed', 3, 'corrupt' FROM jobs"
    )
    await sql("INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (1, 'picked', 'pdf')")
    await sql(
        "UPDATE upstream_pace SET silent_until = now() + interval '1 minute',"
        " cooldown_since = now() WHERE lane = 'pdf'"
    )


async def test_the_overview_has_jobs_queue_pace_processes_and_failures(api, busy):
    response = await api.get(OVERVIEW)
    found = await response.json()

    (job,), (task,), (worker,) = found["jobs"], found["tasks"], found["workers"]
    assert (response.status, response.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert datetime.fromisoformat(found["at"]).tzinfo is not None
    assert found["jobs_by_status"]["running"] == 1
    assert found["papers_by_pdf_state"]["none"] == 1
    assert (job["status"], job["percent"], job["papers_total"]) == ("running", 50.0, 10)
    assert job["eta_seconds"] >= 9
    assert (task["kind"], task["status"], task["tasks"]) == ("pdf", "picked", 1)
    assert [one["state"] for one in found["channels"]] == ["available", "cooldown", "available"]
    assert found["channels"][1]["since"] is not None
    assert (worker["host"], worker["tasks"], found["stalls"]) == ("here", 3, 1)
    assert [paper["title"] for paper in found["failing"]] == ["<script>alert(1)</script>"]


async def test_the_overview_is_as_its_schema_says(api, busy):
    found = await (await api.get(OVERVIEW)).json()

    assert list(found) == list(OverviewSchema().fields)
    assert OverviewSchema().validate(found) == {}
    for name in ("jobs", "tasks", "channels", "workers", "failing"):
        assert list(found[name][0]) == list(OverviewSchema().fields[name].inner.schema.fields)


async def test_active_jobs_come_before_the_latest_of_the_others(api, sql):
    await sql("INSERT INTO jobs (status) SELECT 'completed' FROM generate_series(1, 30)")
    await sql("INSERT INTO jobs (status) VALUES ('pending'), ('running')")
    await sql("INSERT INTO jobs (status) SELECT 'failed' FROM generate_series(1, 12)")

    found = await (await api.get(OVERVIEW)).json()

    shown = [job["status"] for job in found["jobs"]]
    assert shown == ["running", "pending"] + ["failed"] * ops.LATEST_SHOWN
    counts = {"completed": 30, "pending": 1, "running": 1, "failed": 12, "cancelled": 0}
    assert found["jobs_by_status"] == counts
