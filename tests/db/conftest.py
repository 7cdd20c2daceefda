"""Stores on a real database: statements by hand, jobs with papers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from service.db.engine import Database, create_engine
from service.db.job_loader import JobLoader, Sharing
from service.db.job_papers import JobPaperStore, NewJobPaper
from service.db.papers import PaperStore
from service.domain.papers import PaperState
from tests.conftest import make_paper

Sql = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
async def other_database(database: Database, database_url: str) -> AsyncIterator[Database]:
    """The pool of another replica, on the same database."""
    engine = create_engine(database_url, name="tests other", pool_size=10)
    yield Database(engine, deadline_seconds=20)
    await engine.dispose()


AddJob = Callable[..., Awaitable[UUID]]


@pytest.fixture
def add_job(database: Database, sql: Sql) -> AddJob:
    """A job with `papers` PDFs to ingest, numbered from 2301.00000 on."""

    async def add_job(
        papers: int = 0, *, status: str = "running", is_harvested: bool = True
    ) -> UUID:
        ((job_id,),) = await sql(
            "INSERT INTO jobs (status, pdfs_pending, is_harvested, started_at)"
            " VALUES (:status, :papers, :harvested, now()) RETURNING id",
            status=status,
            papers=papers,
            harvested=is_harvested,
        )
        ids = [f"2301.{number:05}" for number in range(papers)]
        async with database.transaction() as conn:
            await PaperStore(conn).upsert([make_paper(f"{i}v1") for i in ids], overwrite=False)
            rows = [NewJobPaper(arxiv_id=i, version=1, state=PaperState.PENDING) for i in ids]
            await JobPaperStore(conn).add(job_id, rows)
        return job_id

    return add_job


@pytest.fixture
async def open_reads(database: Database) -> AsyncIterator[Callable[..., JobLoader]]:
    """Makes JobLoader that are closed before the pool is; name it behind the pool."""
    opened: list[JobLoader] = []

    def open_reads(pool: Database, sharing: Sharing | None = None) -> JobLoader:
        opened.append(JobLoader(pool, sharing))
        return opened[-1]

    yield open_reads
    for reads in opened:
        await reads.close()
