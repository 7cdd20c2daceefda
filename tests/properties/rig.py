"""The API and a worker's hands, driven step by step from code that is not asynchronous."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from aiohttp.test_utils import TestClient
from sqlalchemy import text

from service.db.engine import Database, create_engine
from service.domain.errors import UpstreamUnavailable
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.outcomes import Fail
from service.domain.papers import ExtractedText, Page, PaperState, StoredPdf
from service.files.local import LocalStore
from service.jobs.harvest import HarvestStep
from service.jobs.results import Result, ResultWriter
from service.jobs.schedules import run_due
from service.process.build_api import build_api
from service.sources.registry import Sources
from service.sources.search import SearchSource
from tests.api.conftest import RULES, OurServer, bearer, token
from tests.conftest import TRUNCATE, make_paper, returned

MATCHES = 7  # papers that every query finds

_T = TypeVar("_T")


class Catalogue:
    """An arXiv in which every query finds the same few papers."""

    async def page(self, params, asker):
        offset, size = int(params["start"]), int(params["max_results"])
        last = min(offset + size, MATCHES)
        papers = tuple(make_paper(f"2301.{n:05}v1") for n in range(offset + 1, last + 1))
        return Page(papers=papers, total=MATCHES)


class Rig:
    """One API process on a real database; `restart` replaces it by another one."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._url, self._folder = database_url, folder
        self._runner = asyncio.Runner()
        self._engine: Any = None
        self._client: TestClient | None = None

    def run(self, doing: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(asyncio.wait_for(doing, 60))

    def restart(self, *, empty: bool = False) -> None:
        self.stop()
        self.run(self._start(empty))

    def stop(self) -> None:
        self.run(self._stop())

    def close(self) -> None:
        self.stop()
        self._runner.close()

    async def _start(self, empty: bool) -> None:
        self._engine = create_engine(self._url, name="tests properties", pool_size=5)
        if empty:
            async with self._engine.begin() as conn:
                await conn.execute(text(TRUNCATE))
        self.database = Database(self._engine, deadline_seconds=30)
        store = LocalStore(self._folder, max_bytes=1_000_000)
        await store.prepare()
        self._client = TestClient(OurServer(build_api(RULES, self.database, store)))
        await self._client.start_server()

    async def _stop(self) -> None:
        if self._client is not None:
            await self._client.close()
            await returned(self._engine.pool)
            await self._engine.dispose()
            self._client = None

    def ask(self, method, path, *, caller="alice", expires=None, headers=None, body=None):
        """Status, headers and JSON of an answer; None for a body that is empty."""

        async def ask():
            claims = {} if expires is None else {"exp": expires}
            sent = {**bearer(token(sub=caller, **claims)), **(headers or {})}
            url = f"/api/v1/{path}"
            async with self._client.request(method, url, headers=sent, json=body) as response:
                read = await response.read()
                found = await response.json(content_type=None) if read else None
                return response.status, response.headers, found

        return self.run(ask())

    def sql(self, statement: str, **parameters: object) -> list[Any]:
        async def run():
            async with self._engine.begin() as conn:
                result = await conn.execute(text(statement), parameters)
                return list(result.all()) if result.returns_rows else []

        return self.run(run())

    # -- what a worker does to a job

    def harvest(self, job_id: str, *, die: bool = False, fail: bool = False) -> bool:
        """One run on the job's next page; False when there was nothing to harvest.

        A worker that dies has taken the job up, and leaves no more than that.
        """

        async def harvest():
            page = HarvestStep(
                UUID(job_id), {}, self.database, Sources([SearchSource(Catalogue())])
            )
            attempt = await page.begin()
            if attempt is not None and fail:
                error = UpstreamUnavailable("arXiv stays unavailable")
                await page.conclude(attempt, Fail(error.code, str(error)), error)
            elif attempt is not None and not die:
                await page.run(attempt)
            return attempt is not None

        return self.run(harvest())

    def settle(self, job_id: str, arxiv_id: str, state: PaperState) -> None:
        """Record that a paper of a job has reached `state`, as a worker does that is done."""
        error = JobError(stage=Stage.PDF_DOWNLOAD, message="no PDF", code="gone", arxiv_id=arxiv_id)
        pdf = StoredPdf(path=f"{arxiv_id}.pdf", sha256="0" * 64, size_bytes=1000)
        extracted = ExtractedText(text="Text.", page_count=1, truncated=False)
        result = Result(
            job_id=UUID(job_id),
            arxiv_id=ArxivId.parse(f"{arxiv_id}v1"),
            state=state,
            pdf=pdf if state is PaperState.DOWNLOADED else None,
            text=extracted if state is PaperState.PROCESSED else None,
            error=error if state is PaperState.FAILED else None,
        )

        async def settle():
            recorder = ResultWriter(self.database)
            writing = asyncio.create_task(recorder.run())
            await recorder.record(result)
            writing.cancel()

        self.run(settle())

    def run_schedules(self) -> list[str]:
        """What the schedules that are due have submitted."""
        return [str(one) for one in self.run(run_due(self.database))]
