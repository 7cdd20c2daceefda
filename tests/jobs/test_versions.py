"""Versions of a paper: what was asked for by its number is ingested so, and kept."""

import os
import signal

import pytest

from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, JobStatus
from service.jobs.retry import retry
from tests.jobs.conftest import TAKES_OVER

FILES = (
    "SELECT version, pdf_state, pdf_path, text_state, is_kept FROM paper_versions"
    " WHERE arxiv_id = :paper ORDER BY version"
)
OF_JOB = (
    "SELECT item, arxiv_id, version, state, reason FROM job_papers WHERE job_id = :job ORDER BY 1"
)
TEXTS = (
    "SELECT version FROM paper_texts WHERE arxiv_id = :paper"
    " UNION ALL SELECT version FROM older_texts WHERE arxiv_id = :paper ORDER BY 1"
)


@pytest.fixture
def paper(rig):
    """A paper of two versions, none of which withdraws it."""
    corpus = rig.replica.corpus
    numbers = (n for n in range(60) if corpus.versions(n) == 2 and not corpus.is_withdrawn(n))
    return corpus.id_of(next(numbers)).paper


@pytest.fixture
def ingest(rig):
    """Run a job for these ids; returns it."""

    async def ingest(*ids, settings=None, **request):
        criteria = Criteria(ids=tuple(map(ArxivId.parse, ids)))
        job = await rig.ingested(criteria=criteria, settings=settings, **request)
        assert job.status is JobStatus.COMPLETED
        return job

    return ingest


async def versions(rig, paper):
    """Version → what is held of its file, kept or not, of versions that are not the newest."""
    rows = await rig.rows(FILES, paper=paper)
    return {row.version: (row.pdf_state, row.is_kept) for row in rows}


async def texts(rig, paper):
    return [row.version for row in await rig.rows(TEXTS, paper=paper)]


async def test_case_117_an_older_version_is_ingested_while_a_newer_one_is_held(rig, ingest, paper):
    await ingest(paper)
    (before,) = await rig.rows("SELECT * FROM papers")

    job = await ingest(f"{paper}v1")

    (after,) = await rig.rows("SELECT * FROM papers")
    assert after == before
    assert [tuple(row) for row in await rig.rows(OF_JOB, job=job.id)] == [
        (f"{paper}v1", paper, 1, "processed", None)
    ]
    assert (job.papers_fetched, job.papers_skipped, job.pdfs_processed) == (1, 1, 1)
    assert (await versions(rig, paper))[1] == ("processed", True)
    assert await texts(rig, paper) == [1, 2]
    assert len(rig.files()) == 2


async def test_case_117_two_versions_in_one_job_are_two_papers_of_it(rig, ingest, paper):
    job = await ingest(f"{paper}v1", f"{paper}v2", paper)

    rows = [tuple(row) for row in await rig.rows(OF_JOB, job=job.id)]
    assert rows == [
        (f"{paper}v1", paper, 1, "processed", None),
        (f"{paper}v2", paper, 2, "processed", None),
    ]
    assert (job.papers_fetched, job.pdfs_processed, job.errors_total) == (2, 2, 0)
    assert await texts(rig, paper) == [1, 2]
    assert len(rig.files()) == 2
    again = await ingest(f"{paper}v1", f"{paper}v2")
    assert [row.reason for row in await rig.rows(OF_JOB, job=again.id)] == ["already_held"] * 2


async def test_a_version_that_was_asked_for_stays_when_a_newer_one_is_processed(rig, ingest, paper):
    await ingest(f"{paper}v1")
    assert (await rig.rows("SELECT version, pdf_state FROM papers")) == [(1, "processed")]

    await ingest(paper)

    assert (await rig.rows("SELECT version, pdf_state FROM papers")) == [(2, "processed")]
    assert (await versions(rig, paper))[1] == ("processed", True)
    assert await texts(rig, paper) == [1, 2]
    assert len(rig.files()) == 2


@pytest.mark.parametrize("keep", ["true", "false"])
async def test_any_other_is_dropped_then_unless_versions_are_kept(rig, ingest, paper, keep):
    await ingest(f"{paper}v1")
    await rig.rows("UPDATE paper_versions SET is_kept = false RETURNING 1")

    await ingest(paper, settings={"KEEP_VERSIONS": keep})

    is_kept = keep == "true"
    assert (await versions(rig, paper))[1] == (("processed" if is_kept else "none"), is_kept)
    assert await texts(rig, paper) == ([1, 2] if is_kept else [2])
    assert len(rig.files()) == (2 if is_kept else 1)
    documents = await rig.rows("SELECT version FROM documents ORDER BY 1")
    assert {row.version for row in documents} == ({1, 2} if is_kept else {2})


async def test_an_older_file_stays_until_the_newer_one_is_processed(rig, ingest, paper):
    await ingest(f"{paper}v1")
    await rig.rows("UPDATE paper_versions SET is_kept = false RETURNING 1")

    await ingest(paper, process_pdfs=False)

    assert (await rig.rows("SELECT version, pdf_state FROM papers")) == [(2, "none")]
    assert (await versions(rig, paper))[1] == ("processed", False)
    await ingest(paper)
    assert (await versions(rig, paper))[1] == ("none", False)
    assert len(rig.files()) == 1


async def test_a_failed_version_is_retried_in_that_version(rig, ingest, paper):
    await ingest(paper)
    fault = {"kind": "truncate", "lane": "pdf", "times": 3}
    criteria = Criteria(ids=(ArxivId(paper, 1),))
    failed = await rig.ingested(fault, criteria=criteria)
    assert [(e.code, e.arxiv_id) for e in failed.errors] == [("corrupt", f"{paper}v1")]

    async with rig.worker():
        retried = await rig.final((await retry(rig.database, failed.id, caller="tests")).job.id)
    await rig.assert_sound()

    assert [tuple(row) for row in await rig.rows(OF_JOB, job=retried.id)] == [
        (f"{paper}v1", paper, 1, "processed", None)
    ]


async def test_a_worker_that_is_killed_with_an_older_version_in_work_loses_nothing(
    rig, ingest, paper
):
    await ingest(paper)
    rig.replica.script([{"kind": "ok", "lane": "pdf", "delay": 60}])
    rig.replica.log.clear()
    async with rig.process() as process:
        job_id = await rig.submit(criteria=Criteria(ids=(ArxivId(paper, 1),)))
        await rig.replica.log.wait_for(lambda log: log.since(lane="pdf"), timeout=30)
        os.killpg(process.pid, signal.SIGKILL)
    async with rig.worker(**TAKES_OVER):
        job = await rig.final(job_id)
    await rig.assert_sound()

    assert (job.status, job.pdfs_processed, job.resumed) == (JobStatus.COMPLETED, 1, 1)
    assert (await versions(rig, paper))[1] == ("processed", True)
