"""The operators' page and what it shows."""

import dataclasses
import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from service.api.handlers import ops
from service.api.schemas.ops import OverviewSchema
from service.db.papers import PaperStore
from service.db.workers import WorkerStore
from tests.api.conftest import RULES, bearer, token
from tests.conftest import make_paper

OVERVIEW = "/api/v1/ingestion/overview"
WEB = Path(ops.__file__).parents[1] / "static"
MODULES = sorted((WEB / "ops").glob("*.js"))
FILES = ["/ops", "/ops/ops.css", *(f"/ops/{file.name}" for file in MODULES)]
ARXIV_PAGE = "https://arxiv.org/abs/"  # where a link leads, nothing that is loaded
SVG_NAME = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", FILES)
async def test_the_page_is_public_and_loads_nothing_from_elsewhere(serve, path):
    anybody = await serve(sub=None)

    response = await anybody.get(path)
    policy = dict(
        one.strip().split(" ", 1) for one in response.headers["Content-Security-Policy"].split(";")
    )
    text = re.sub(r"(^|\s)//.*$", "", await response.text(), flags=re.MULTILINE)

    assert response.status == 200
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "//" not in text.replace(ARXIV_PAGE, "").replace(SVG_NAME, "")


async def test_each_file_says_what_it_is_and_is_not_sent_twice(api):
    answers = [await api.get(path) for path in FILES]
    again = [
        await api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        for path, answer in zip(FILES, answers, strict=True)
    ]

    kinds = {answer.headers["Content-Type"] for answer in answers}
    assert kinds == {f"text/{kind}; charset=utf-8" for kind in ("html", "css", "javascript")}
    assert {answer.status for answer in again} == {304}


@pytest.mark.parametrize("name", ["nothing.js", "ops.html", "..%2Fdocs.js", "ops.js%00"])
async def test_there_are_no_other_files(serve, name):
    response = await (await serve(sub=None)).get(f"/ops/{name}")

    assert response.status in (400, 404)


def test_the_page_has_no_script_style_or_handler_of_its_own():
    page = (WEB / "ops.html").read_text()

    assert re.findall(r"<script(?![^>]* src=\"ops/ops\.js\")", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_no_module_sets_anything_but_text(file):
    script = file.read_text()

    ways_to_markup = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|DOMParser"
    assert re.findall(ways_to_markup, script) == []
    assert "localStorage" not in script
    assert "cookie" not in script


def test_the_script_finds_what_it_looks_for():
    page, script = (WEB / "ops.html").read_text(), (WEB / "ops" / "ops.js").read_text()

    wanted = set(re.findall(r'byId\("([\w-]+)"', script))

    assert wanted
    assert wanted <= set(re.findall(r'id="([\w-]+)"', page))


def test_every_module_is_loaded_by_another():
    loaded = {
        name for file in MODULES for name in re.findall(r'from "\./([\w.]+)"', file.read_text())
    }

    assert loaded | {"ops.js"} == {file.name for file in MODULES}


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
    assert list(found["caller"]) == ["subject", "may_write", "may_operate"]
    for name in ("jobs", "tasks", "channels", "workers", "failing", "requests"):
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


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("write", (True, False)), ("write operate", (True, True)), (None, (False, False))],
)
async def test_the_overview_says_who_asks_and_what_they_may_do(serve, scope, expected):
    rules = dataclasses.replace(RULES, write_scope="write", operator_scope="operate")
    api = await serve(rules, sub=None)

    response = await api.get(OVERVIEW, headers=bearer(token(sub="olga", scope=scope)))
    caller = (await response.json())["caller"]

    assert caller["subject"] == "olga"
    assert (caller["may_write"], caller["may_operate"]) == expected


async def test_the_overview_has_requests_to_arxiv_database_freshness_and_limits(api, busy, sql):
    await sql("UPDATE upstream_pace SET turns = 7 WHERE lane = 'api'")
    await sql("INSERT INTO fleet_counters (name, value) VALUES ('refusals.api.429', 2)")
    await sql(
        "INSERT INTO coverage (set, day, listed, missing, stale, checked_at)"
        " VALUES ('cs', '2026-01-01', 1, 0, 0, now()), ('cs', '2026-01-02', 1, 0, 0, now())"
    )
    await sql("UPDATE papers SET datestamp = '2026-01-02'")

    found = await (await api.get(OVERVIEW)).json()

    requests = {one["channel"]: one for one in found["requests"]}
    assert (requests["api"]["requests"], requests["api"]["by_status"]) == (7, {"429": 2})
    assert requests["pdf"]["by_status"] == {}
    assert set(found["limits"].values()) == {20, 240, 4}
    assert found["database"]["bytes"] > 0
    assert found["database"]["pool"]["in_use"] >= 1
    assert found["database"]["pool"]["waiting"] == 0
    assert "papers" in {table["name"] for table in found["database"]["tables"]}
    assert found["freshness"]["datestamp"] == "2026-01-02"
    assert found["audited_sets"] == ["cs"]
