"""A worker and a stand-in arXiv, here or as processes of their own, and what came of it."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from service.arxiv.limits import ClientLimits, Waits
from service.config.settings import Settings
from service.db.addresses import libpq_url
from service.db.engine import Database
from service.db.jobs import JobStore
from service.devtools.stand_in.server import Replica, ReplicaOptions, running_replica
from service.domain import outcomes
from service.domain.jobs import Criteria, IngestionRequest, Job
from service.jobs.submit import submit
from service.process.build_worker import Timing, running_worker
from service.process.resources import pdf_store
from service.sources.paging import Repeats
from tests.fork_server import Forked, forked

QUICK = Timing(
    limits=ClientLimits(
        # longer than a busy machine needs: a request that is given up uses a fault up
        api_total=timedelta(seconds=20),
        pdf_total=timedelta(seconds=60),
        sock_read=timedelta(seconds=20),
    ),
    waits=Waits(outage=timedelta(milliseconds=50), probe=timedelta(milliseconds=200)),
    repeats=Repeats(first=timedelta(milliseconds=20)),
)
LEASE_SECONDS = 2  # of processes, which are killed
TAKES_OVER = {"LEASE_SECONDS": str(LEASE_SECONDS)}  # for a worker that goes on after them
# Of a worker in this process, which nobody kills: for a task that a busy machine's stall
# has taken from it there would be one more try than a test counts.
UNHURRIED_LEASE_SECONDS = 60
JOB_COUNTERS = (
    "status, pages_fetched, papers_total, papers_fetched, papers_created, papers_updated,"
    " papers_skipped, pdfs_downloaded, pdfs_processed, pdfs_pending, pdfs_failed,"
    " pdfs_unavailable, html_pending, documents_html, documents_pdf, errors_total"
)


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    async with running_replica(ReplicaOptions(papers=60)) as running:
        yield running


@dataclass
class Rig:
    """Everything of one test: database, stand-in, folder, and ways to run and to look."""

    database: Database
    url: str
    direct: str  # past a pooler, if `url` leads to one
    replica: Replica
    folder: Path

    def environment(self, **changes: str) -> dict[str, str]:
        """The variables of a service process of this test."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **{name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")},
            "DATABASE_URL": self.url,
            "DATA_DIR": str(self.folder),
            "PORT": "0",
            "JWT_SECRET": "a secret of the test suite, long enough",
            "ARXIV_API_URL": self.replica.api_url,
            "ARXIV_OAI_URL": self.replica.oai_url,
            "ARXIV_PDF_URL": self.replica.pdf_url,
            "ARXIV_HTML_URL": self.replica.html_url,
            "ARXIV_MIN_INTERVAL_SECONDS": "0.05",
            "ARXIV_HTML_MIN_INTERVAL_SECONDS": "0.02",
            "ARXIV_PDF_PER_SECOND": "200",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "EXTRACT_PROCESSES": "1",
            "DRAIN_SECONDS": "5",
            **changes,
        }

    @asynccontextmanager
    async def worker(self, timing: Timing = QUICK, **changes: str) -> AsyncIterator[None]:
        """A worker in this process, for the block."""
        changes = {"LEASE_SECONDS": str(UNHURRIED_LEASE_SECONDS), **changes}
        settings = Settings.from_environ(self.environment(**changes))
        await pdf_store(settings).prepare()
        async with running_worker(settings, self.url, timing=timing) as worker:
            yield
            await worker.drain(5)

    @asynccontextmanager
    async def process(self, *command: str, **changes: str) -> AsyncIterator[Any]:
        """`python -m service …` (worker) for the block; killed at its end if it still runs."""
        command = command or ("worker",)
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            process = await _begun(command, self.environment(**changes), log)
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait_for(process.wait(), 60)

    async def submit(self, **changes: Any) -> UUID:
        """Record a job for ten papers of cs.AI, changed as the test wants it; its id."""
        criteria = changes.pop("criteria", None) or Criteria(category="cs.AI", page_size=5)
        request = IngestionRequest(**{"criteria": criteria, "max_papers": 10, **changes})
        return (await submit(self.database, request, caller="tests")).job.id

    async def ingested(
        self,
        *steps: dict[str, Any],
        settings: Mapping[str, str] | None = None,
        timing: Timing = QUICK,
        **request: Any,
    ) -> Job:
        """The finished job that `request` gives while the stand-in follows `steps`."""
        self.replica.script(list(steps))
        async with self.worker(timing, **(settings or {})):
            job = await self.final(await self.submit(**request))
        await self.assert_sound()
        return job

    async def job(self, job_id: UUID) -> Job:
        async with self.database.transaction() as conn:
            return await JobStore(conn).get(job_id)

    async def until(
        self, job_id: UUID, wanted: Callable[[Job], bool], *, seconds: float = 100
    ) -> Job:
        """The job once `wanted` holds, looked at whenever it changes."""
        changed = asyncio.Event()
        connection = await asyncpg.connect(libpq_url(self.direct))
        try:
            await connection.add_listener("job_changed", lambda *_: changed.set())
            async with asyncio.timeout(seconds):
                while not wanted(job := await self.job(job_id)):
                    await changed.wait()
                    changed.clear()
            return job
        finally:
            await connection.close()

    async def final(self, job_id: UUID, *, seconds: float = 100) -> Job:
        """The job once it is finished."""
        return await self.until(job_id, lambda job: job.status.is_final, seconds=seconds)

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.database.transaction() as conn:
            return list((await conn.execute(text(sql), values)).all())

    async def result(self, job_id: UUID) -> dict[str, Any]:
        """All that a job brought about, to compare with another run of it."""
        job = {"job": job_id}
        return {
            "job_papers": await self.rows(
                "SELECT arxiv_id, version, state, reason, html_state, html_reason FROM job_papers"
                " WHERE job_id = :job ORDER BY 1",
                **job,
            ),
            "job": await self.rows(f"SELECT {JOB_COUNTERS} FROM jobs WHERE id = :job", **job),
            "papers": await self.rows(
                "SELECT arxiv_id, version, title, authors, pdf_state, pdf_path, pdf_sha256,"
                " pdf_bytes, page_count FROM papers ORDER BY 1"
            ),
            "texts": await self.rows(
                "SELECT arxiv_id, version, md5(content), truncated FROM paper_texts ORDER BY 1"
            ),
            "pages": await self.rows(
                "SELECT arxiv_id, version, path, sha256, pdf_sha256, refused FROM html_pages"
                " ORDER BY 1"
            ),
            "documents": await self.rows(
                "SELECT arxiv_id, version, source, converter, input_sha256, md5(content::text)"
                " FROM documents ORDER BY 1, 3"
            ),
            "files": self.files(),
        }

    def files(self) -> dict[str, str]:
        """Every PDF in storage: relative path → SHA-256."""
        root = self.folder / "files"
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*.pdf"))
        }

    def parts(self) -> list[str]:
        """What is left of downloads: names of partial files."""
        return [path.name for path in (self.folder / "files" / ".partial").iterdir()]

    async def forget(self) -> None:
        """Empty database and storage, to run the same again."""
        for path in (self.folder / "files").rglob("*v*.*[fl]"):
            path.unlink()
        await self.rows("WITH a AS (DELETE FROM jobs), b AS (DELETE FROM papers) SELECT 1")
        self.replica.log.clear()

    async def assert_sound(self) -> None:
        """Counters equal the rows they count; rows that claim a file are right about it."""
        for row in await self.rows(
            "SELECT j.*, (SELECT json_object_agg(state, n) FROM (SELECT state, count(*) AS n"
            " FROM job_papers p WHERE p.job_id = j.id GROUP BY state) s) AS states,"
            " (SELECT count(*) FROM job_errors e WHERE e.job_id = j.id) AS errors FROM jobs j"
        ):
            states = row.states if isinstance(row.states, dict) else json.loads(row.states or "{}")
            assert row.pdfs_processed == states.get("processed", 0)
            assert row.pdfs_downloaded >= row.pdfs_processed
            assert row.pdfs_failed == states.get("failed", 0)
            assert row.pdfs_unavailable == states.get("unavailable", 0)
            assert row.pdfs_pending == states.get("pending", 0) + states.get("downloaded", 0)
            assert row.errors_total == row.errors
            await self._assert_told(row)
        held = await self.rows(
            "SELECT pdf_path, pdf_sha256, pdf_bytes FROM papers WHERE pdf_path IS NOT NULL"
            " UNION ALL SELECT pdf_path, pdf_sha256, pdf_bytes FROM paper_versions"
            " WHERE pdf_path IS NOT NULL"
        )
        assert {row.pdf_path: row.pdf_sha256 for row in held} == self.files()
        for row in held:
            assert (self.folder / "files" / row.pdf_path).stat().st_size == row.pdf_bytes

    async def _assert_told(self, job: Any) -> None:
        """The timeline of a job tells what its row says, each thing once."""
        events = await self.rows(
            "SELECT event, number FROM job_events WHERE job_id = :job ORDER BY id",
            job=job.id,
        )
        names = [event.event for event in events]
        pages = [event for event in events if event.event == "page"]
        assert names[0] == "created"
        assert names.count("created") == 1
        assert names.count("started") == int(job.started_at is not None)
        assert names.count("finished") == int(job.completed_at is not None)
        assert [page.number for page in pages] == list(range(1, job.pages_fetched + 1))
        (told,) = await self.rows(
            "SELECT coalesce(sum(papers), 0) AS papers, coalesce(sum(pdfs), 0) AS pdfs"
            " FROM job_intervals WHERE job_id = :job",
            job=job.id,
        )
        assert (told.papers, told.pdfs) == (job.papers_fetched, job.pdfs_processed)


async def _begun(
    command: tuple[str, ...], environ: dict[str, str], log: BinaryIO
) -> Process | Forked:
    """`python -m service …`: by itself where it is to measure which of its lines it runs."""
    if not any(name.startswith("COVERAGE_") for name in environ):
        return forked(command, environ, log)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", *command),
        env=environ,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


async def kill(process: Process | Forked) -> None:
    """SIGKILL a process of `Rig.process`, and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    await asyncio.wait_for(process.wait(), 60)


@pytest.fixture
async def rig(
    database: Database,
    database_url: str,
    postgres: str,
    replica: Replica,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Rig:
    monkeypatch.setattr(outcomes, "BACKOFF_FIRST", timedelta(milliseconds=50))
    folder = tmp_path / "data"
    folder.mkdir()
    return Rig(database, database_url, postgres, replica, folder)
