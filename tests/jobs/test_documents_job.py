"""Documents made anew from the files that are held: what is outdated, and nothing downloaded."""

import pytest

from service.devtools.stand_in.html import Quality
from service.domain.identifiers import ArxivId
from service.domain.jobs import DocumentsCriteria, JobStatus
from service.extraction.converters import HTML_CONVERTER, PDF_CONVERTER
from tests.jobs.test_html import DOCUMENTS, ids


async def rebuilt(rig, *names):
    wanted = None if not names else tuple(ArxivId.parse(name) for name in names)
    request = {"source": "documents", "max_papers": None, "process_pdfs": False}
    before = len(rig.replica.log.since())
    job = await rig.ingested(documents=DocumentsCriteria(ids=wanted), **request)
    assert len(rig.replica.log.since()) == before
    return job


@pytest.fixture
async def held(rig):
    """Two papers with PDF and HTML, one with its PDF only."""
    good = ids(rig, Quality.GOOD, 3)
    await rig.ingested(criteria=good, max_papers=2, process_html=True)
    await rig.ingested(criteria=good, max_papers=3)
    return sorted(one.paper for one in good.ids)


async def test_what_is_outdated_is_made_anew_and_nothing_else(rig, held):
    fresh = await rig.rows(DOCUMENTS)
    nothing = await rebuilt(rig)
    html = [row.arxiv_id for row in fresh if row.source == "html"]
    await rig.rows(
        "WITH a AS (UPDATE documents SET converter = 'pdf 0', content = '{}' WHERE source = 'pdf'"
        " AND arxiv_id = :one), b AS (UPDATE html_pages SET converter = 'latexml-html/0'"
        " WHERE arxiv_id = :two) SELECT 1",
        one=next(name for name in held if name not in html),
        two=html[0],
    )
    await rig.rows(
        "WITH a AS (UPDATE documents SET content = '{}' WHERE source = 'html'"
        " AND arxiv_id = :one) SELECT 1",
        one=html[0],
    )

    job = await rebuilt(rig)

    assert (nothing.status, nothing.papers_total) == (JobStatus.COMPLETED, 0)
    assert (job.status, job.errors_total, job.papers_total) == (JobStatus.COMPLETED, 0, 2)
    assert (job.pdfs_processed, job.documents_html, job.documents_pdf) == (2, 1, 1)
    assert await rig.rows(DOCUMENTS) == fresh
    assert {row.converter for row in fresh} == {HTML_CONVERTER, PDF_CONVERTER}


async def test_ids_are_made_anew_outdated_or_not_and_what_is_not_held_is_an_error(rig, held):
    job = await rebuilt(rig, held[0], f"{held[1]}v99", "0704.0001")

    assert (job.status, job.pdfs_processed, job.papers_total) == (JobStatus.COMPLETED, 1, 3)
    assert sorted((error.arxiv_id, error.code) for error in job.errors) == sorted(
        [(f"{held[1]}v99", "unknown_version"), ("0704.0001", "unknown_paper")]
    )


async def test_html_without_a_pdf_is_made_anew_of_the_page_alone(rig):
    wanted = ids(rig, Quality.GOOD, 1)
    await rig.ingested(criteria=wanted, max_papers=1, process_html=True, process_pdfs=False)
    fresh = await rig.rows(DOCUMENTS)
    await rig.rows("WITH a AS (DELETE FROM documents) SELECT 1")

    job = await rebuilt(rig)

    assert (job.documents_html, job.pdfs_processed) == (1, 0)
    assert await rig.rows(DOCUMENTS) == fresh


async def test_a_file_that_is_lost_fails_its_paper_and_is_not_fetched(rig, held):
    (path,) = (rig.folder / "files").rglob(f"*{held[-1].replace('/', '_')}v*.pdf")
    path.write_bytes(bytes(path.stat().st_size))  # which no look at sizes tells

    request = {"source": "documents", "max_papers": None, "process_pdfs": False}
    chosen = DocumentsCriteria(ids=(ArxivId.parse(held[-1]),))
    async with rig.worker():
        job = await rig.final(await rig.submit(documents=chosen, **request))

    (error,) = job.errors
    assert (job.status, job.pdfs_failed, error.code) == (JobStatus.COMPLETED, 1, "file_missing")
