"""Probes, settings, what a caller sees of our insides, and data: cases 93 to 99."""

import asyncio
import json
import re
import shutil
import subprocess
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
import pytest
from pypdfium2.version import PDFIUM_INFO
from sqlalchemy import make_url

from service.db.addresses import libpq_url
from service.db.engine import Database, create_engine
from service.db.papers import PaperStore
from service.devtools.postgres_programs import binaries
from service.domain.jobs import JobStatus
from tests.conftest import make_paper
from tests.faults.processes import answered, ended, until
from tests.jobs.conftest import Rig, kill

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
    locks = ["requirements.lock", "requirements-standalone.lock", "requirements-dev.lock"]
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


async def test_case_93_liveness_stands_when_all_else_is_broken(rig, tools):
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/secretdb"
    changes = {"DATABASE_URL": nowhere, "ARXIV_API_URL": "http://127.0.0.1:1/api/query"}
    (rig.folder / "files").write_text("in the place of the folder of PDFs")
    async with (
        rig.process("serve", PORT=str(port), **changes) as process,
        aiohttp.ClientSession() as client,
    ):
        async with asyncio.timeout(60):
            while await answered(client, f"{url}/healthz") != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with client.get(f"{url}/healthz") as alive, client.get(f"{url}/readyz") as ready:
            texts = [await alive.text(), await ready.text()]

        assert (alive.status, ready.status) == (200, 503)
        assert process.returncode is None
    for text in texts:
        assert not any(word in text for word in ("hunter2", "secretdb", "127.0.0.1", "asyncpg"))
        assert "version" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("JWT_SECRET", "sh0rt-s3cret"), ("DATABASE_URL", "mysql://u:hunter2@h/d"), ("PORT", "x9y")],
)
async def test_case_94_a_wrong_setting_ends_the_start_by_name(rig, name, value):
    async with rig.process("serve", **{name: value}) as process:
        assert await ended(process) != 0

    log = (rig.folder / "serve.log").read_text()
    assert name in log
    assert value not in log


INSIDES = ("SELECT", "UPDATE", "[SQL", "hunter2", "secretdb", "asyncpg", "127.0.0.1", "Traceback")


@pytest.mark.parametrize("path", [f"job/{UUID(int=7)}", "jobs", "papers"])
async def test_case_95_a_database_fault_is_a_safe_sentence(serve, path, open_database):
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/secretdb"
    api = await serve(database=open_database(nowhere, deadline_seconds=2.5))

    root = "/api/v1" if path == "papers" else "/api/v1/ingestion"
    answer = await api.get(f"{root}/{path}")

    text = await answer.text()
    assert answer.status == (500 if path.startswith("job/") else 503)
    assert answer.content_type == "application/problem+json"
    assert not any(word in text for word in INSIDES)


async def test_case_98_a_dump_taken_in_mid_run_starts_elsewhere_and_completes(rig, tmp_path):
    """pg_dump while papers come in, then the files: restored, it ends as if nothing had been.

    Of the files, one is lost on the way and one altered: both are found, and fetched again.
    """
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    job_id = await rig.submit()
    async with rig.process():
        await rig.replica.wait_until_held(timeout=90)
        await rig.until(job_id, lambda job: job.pdfs_processed >= 2)
        dump = await asyncio.to_thread(run_postgres, "pg_dump", "-d", libpq_url(rig.direct))
        shutil.copytree(rig.folder / "files", tmp_path / "elsewhere" / "files")
    rig.replica.release()
    async with restored(rig, dump, tmp_path / "elsewhere") as elsewhere:
        assert (await elsewhere.job(job_id)).status is JobStatus.RUNNING
        damaged = "SELECT pdf_path FROM papers WHERE pdf_state = 'processed' ORDER BY 1 LIMIT 2"
        lost, altered = [
            elsewhere.folder / "files" / row.pdf_path for row in await elsewhere.rows(damaged)
        ]
        lost.unlink()
        altered.write_bytes(b"%PDF-1.7 and no more")

        async with elsewhere.process():
            job = await elsewhere.final(job_id)
            await until(
                elsewhere, "SELECT 2 FROM papers WHERE pdf_path IS NULL HAVING count(*) = 2"
            )
            again = await elsewhere.final(await elsewhere.submit())

        assert job.status is JobStatus.COMPLETED
        assert job.pdfs_processed == 10
        assert again.pdfs_processed == 2
        await elsewhere.assert_sound()


@asynccontextmanager
async def restored(rig, dump, folder):
    """The rig over another database, made from `dump`, and another folder."""
    await administer(rig, "CREATE DATABASE elsewhere")
    url = make_url(rig.direct).set(database="elsewhere").render_as_string(hide_password=False)
    await asyncio.to_thread(run_postgres, "psql", "-q", "-d", libpq_url(url), text=dump)
    engine = create_engine(url, name="tests elsewhere")
    try:
        yield Rig(Database(engine, deadline_seconds=20), url, url, rig.replica, folder)
    finally:
        await engine.dispose()
        await administer(rig, "DROP DATABASE elsewhere WITH (FORCE)")


async def administer(rig, statement):
    connection = await asyncpg.connect(libpq_url(rig.direct))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def run_postgres(program, *arguments, text=None):
    """The output of one of PostgreSQL's programs, those of the embedded server."""
    command = [binaries() / program, *arguments]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
