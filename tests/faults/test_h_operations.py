"""Group H of the fault list: operations and data."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from pypdfium2.version import PDFIUM_INFO

from service.storage.papers import PaperStore
from tests.conftest import make_paper
from tests.ingest.conftest import kill

ROOT = Path(__file__).parents[2]
FLOORS = {"aiohttp": (3, 14, 3), "pyjwt": (2, 13, 0)}  # what had security fixes
HOSTILE = "<script>alert(1)</script> =cmd() & \"quoted\" 'text'"
PDFIUM_FLOOR = (156, 0, 8078, 73)  # CVE-2026-118345


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


async def test_case_96_hostile_text_comes_back_as_json_unchanged(api, database):
    paper = make_paper(title=HOSTILE, authors=(HOSTILE,), comments=HOSTILE)
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([paper], overwrite=True)

    for path, accept in [
        ("/api/v1/papers/2301.00001", "text/html, */*;q=0.1"),
        ("/api/v1/papers", "*/*"),
        ("/api/v1/papers", "application/x-ndjson"),
    ]:
        response = await api.get(path, headers={"Accept": accept})
        shown = json.loads(await response.text())
        shown = shown[0] if isinstance(shown, list) else shown
        assert (shown["title"], shown["authors"], shown["comments"]) == (
            HOSTILE,
            [HOSTILE],
            HOSTILE,
        )
        assert response.content_type in ("application/json", "application/x-ndjson")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", FLOORS)
def test_case_99_what_is_installed_and_pinned_is_above_its_floor(name):
    locks = ["requirements.lock", "requirements-dev.lock"]
    pinned = [re.findall(rf"^{name}==(\S+)", (ROOT / lock).read_text(), re.M) for lock in locks]
    (allowed,) = re.findall(rf"^    {name}>=([\d.]+)", (ROOT / "setup.cfg").read_text(), re.M)

    assert numbers(version(name)) >= FLOORS[name]
    assert [numbers(found) >= FLOORS[name] for (found,) in pinned] == [True] * len(locks)
    assert (*numbers(allowed), 0)[:3] >= FLOORS[name]


def test_case_99_the_pdf_library_is_above_its_floor():
    info = PDFIUM_INFO

    assert (info.major, info.minor, info.build, info.patch) >= PDFIUM_FLOOR


def test_case_99_pythons_own_xml_parser_is_not_used():
    """Its expat may be older than 2.6; lxml is used, with caps (tests/arxiv/test_atom.py)."""
    parsers = re.compile(
        r"^\s*(?:import|from) (?:xml(?!\.sax\.saxutils)|pyexpat|xmlrpc|defusedxml)\b", re.MULTILINE
    )
    sources = sorted((ROOT / "service").rglob("*.py"))

    assert sources
    assert parsers.search("from xml.etree import ElementTree")
    assert [path.name for path in sources if parsers.search(path.read_text())] == []


async def test_case_97_retention_that_is_killed_in_between_is_finished_later(rig, sql):
    ((job,),) = await sql(
        "INSERT INTO jobs (status, started_at, completed_at) VALUES"
        " ('completed', now(), now() - interval '40 days') RETURNING id"
    )
    await sql(
        "INSERT INTO job_papers (job_id, arxiv_id, version, state) SELECT :job,"
        " '2301.' || lpad(n::text, 5, '0'), 1, 'processed' FROM generate_series(1, 6000) n",
        job=job,
    )
    await sql("INSERT INTO job_errors (job_id, stage, error) VALUES (:job, 'store', 'e')", job=job)
    left = "SELECT count(*) FROM job_papers"

    async with rig.database.transaction() as conn:  # the second step waits for this row
        await conn.exec_driver_sql(
            "SELECT 1 FROM job_papers WHERE arxiv_id = '2301.06000' FOR UPDATE"
        )
        async with rig.process("db", "prune", "--older-than", "30", "--yes") as removing:
            before = (await rig.job(job)).version
            await rig.until(job, lambda it: it.version > before)  # the first step committed
            await kill(removing)

    assert tuple((await sql(left))[0]) == (1000,)
    async with rig.worker(JOB_RETENTION_DAYS="30", LEASE_SECONDS="1"):
        await _until_none(sql, "SELECT id FROM jobs")
    assert tuple((await sql(left))[0]) == (0,)
    assert await sql("SELECT 1 FROM job_errors") == []


async def _until_none(sql, statement):
    for _ in range(300):
        if not await sql(statement):
            return
        await sql("SELECT pg_sleep(0.1)")
    raise TimeoutError
