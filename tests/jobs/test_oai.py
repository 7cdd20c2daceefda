"""OAI-PMH harvests of the stand-in equal its corpus, whatever gets in their way."""

from datetime import date

import aiohttp
import pytest

from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.domain.jobs import JobStatus, OaiCriteria
from service.jobs.retry import retry
from tests.jobs.conftest import kill

PAPERS = 600
PAGE = 50


@pytest.fixture
async def replica():
    options = ReplicaOptions(papers=PAPERS)
    async with running_replica(options) as running:
        running.oai.records_limit = PAGE
        running.oai.identifiers_limit = 4 * PAGE
        yield running


async def submit(rig, **changes):
    criteria = changes.pop("oai", OaiCriteria())
    values = {"source": "oai", "process_pdfs": False, "max_papers": None, "batch_size": 20}
    return await rig.submit(**{**values, **changes}, oai=criteria)


async def control(replica, method, path, **keywords):
    url = f"{replica.url}/_replica/{path}"
    async with aiohttp.ClientSession() as one, one.request(method, url, **keywords) as answer:
        assert answer.status < 300, await answer.text()


async def assert_equals_corpus(rig, papers=PAPERS):
    held = {
        row.arxiv_id: row
        for row in await rig.rows(
            "SELECT p.*, (SELECT count(*) FROM paper_versions v WHERE v.arxiv_id = p.arxiv_id)"
            " AS history FROM papers p"
        )
    }
    records = rig.replica.records
    assert len(held) == papers
    for name, row in held.items():
        record = records.record(rig.replica.corpus.calendar.find(name))
        paper = record.paper
        assert (row.version, row.history) == (len(record.versions), len(record.versions))
        assert (row.title, row.abstract) == (paper.title, paper.abstract)
        assert tuple(row.authors) == tuple(paper.authors)
        assert (row.license, row.withdrawn) == (record.license, paper.withdrawn)
        assert row.datestamp == record.modified_at.date()


async def test_a_harvest_is_the_corpus(rig):
    async with rig.worker():
        job = await rig.final(await submit(rig))

    assert (job.status, job.errors) == (JobStatus.COMPLETED, ())
    assert (job.papers_fetched, job.papers_created) == (PAPERS, PAPERS)
    assert await rig.rows("SELECT 1 FROM job_papers") == []
    await assert_equals_corpus(rig)


async def test_a_second_harvest_writes_nothing(rig):
    state = "SELECT arxiv_id, ctid::text, xmin::text FROM papers ORDER BY 1"
    async with rig.worker():
        await rig.final(await submit(rig))
        before = await rig.rows(state)
        job = await rig.final(await submit(rig))

    assert (job.papers_fetched, job.papers_skipped) == (PAPERS, PAPERS)
    assert await rig.rows(state) == before


@pytest.mark.parametrize("is_held", [False, True])
async def test_expired_tokens_503_html_and_crashes_change_nothing(rig, is_held):
    if is_held:
        async with rig.worker():
            await rig.final(await submit(rig))
    rig.replica.script(
        [
            {"kind": "503", "lane": "oai", "number": 4, "retry_after": "1"},
            {"kind": "html", "lane": "oai", "number": 6},
            {"kind": "half", "lane": "oai", "number": 7},
            {"kind": "oai_error", "code": "badResumptionToken", "lane": "oai", "number": 9},
        ]
    )
    rig.replica.log.clear()
    job_id = await submit(rig)
    for pages in (3, 6):
        async with rig.process() as process:
            await rig.until(job_id, lambda job, n=pages: job.pages_fetched >= n)
            await kill(process)
    await control(rig.replica, "POST", "oai/expire")
    async with rig.worker():
        job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == PAPERS
    assert job.papers_created + job.papers_updated + job.papers_skipped == PAPERS
    assert job.papers_created == (0 if is_held else PAPERS)
    await assert_equals_corpus(rig)


async def test_records_that_change_in_mid_harvest_are_held_as_they_became(rig):
    rig.replica.script([{"kind": "hold", "lane": "oai", "number": 5}])
    async with rig.worker():
        job_id = await submit(rig)
        await rig.until(job_id, lambda job: job.pages_fetched >= 3)
        seen = await rig.rows("SELECT arxiv_id FROM papers ORDER BY datestamp, arxiv_id LIMIT 20")
        ids = [row.arxiv_id for row in seen]
        await control(rig.replica, "POST", "amend", json={"ids": ids[:9], "kind": "metadata"})
        await control(rig.replica, "POST", "amend", json={"ids": ids[9:], "kind": "version"})
        await control(rig.replica, "POST", "release")
        job = await rig.final(job_id)

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, PAPERS)
    await assert_equals_corpus(rig)


async def test_the_format_arxiv_brings_all_papers_too(rig):
    async with rig.worker():
        job = await rig.final(await submit(rig, oai=OaiCriteria(metadata_format="arXiv")))
        again = await rig.final(await submit(rig))

    assert (job.papers_created, job.papers_fetched) == (PAPERS, PAPERS)
    assert again.papers_updated + again.papers_skipped == PAPERS
    await assert_equals_corpus(rig)


async def test_a_set_and_a_window_bring_what_is_in_them(rig):
    async with rig.worker():
        await rig.final(await submit(rig))
        rows = await rig.rows(
            "SELECT arxiv_id FROM papers WHERE 'hep-th' = ANY(categories)"
            " AND datestamp BETWEEN '2007-01-01' AND '2020-12-31'"
        )
        await rig.rows("WITH a AS (DELETE FROM papers) SELECT 1")
        window = OaiCriteria(
            set="physics:hep-th", from_date=date(2007, 1, 1), to_date=date(2020, 12, 31)
        )
        job = await rig.final(await submit(rig, oai=window))

    assert job.papers_created == len(rows) > 0


async def test_an_unknown_set_fails_the_job(rig):
    async with rig.worker():
        job = await rig.final(await submit(rig, oai=OaiCriteria(set="nonsense")))

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["upstream_rejected"]


async def test_pdfs_of_a_harvest_are_brought_in(rig):
    async with rig.worker():
        job = await rig.final(await submit(rig, process_pdfs=True, max_papers=12))

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 12)
    assert job.pdfs_processed + job.pdfs_unavailable + job.pdfs_failed == 12
    await rig.assert_sound()


async def test_a_failed_harvest_is_gone_on_with(rig):
    faults = [{"kind": "html", "lane": "oai", "number": number} for number in range(5, 10)]
    async with rig.worker():
        rig.replica.script(faults)
        job = await rig.final(await submit(rig))
        assert [error.code for error in job.errors] == ["upstream_faulty"]
        again = await rig.final((await retry(rig.database, job.id, caller="tests")).job.id)

    assert again.status is JobStatus.COMPLETED
    assert job.papers_fetched + again.papers_fetched >= PAPERS
    await assert_equals_corpus(rig)
