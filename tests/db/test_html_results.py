"""HTML beside its PDF: each is stored only with what it was compared with, whoever comes first."""

from dataclasses import replace

import pytest

from service.db.html_pages import HtmlPageStore
from service.domain.errors import JudgedOtherwise
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    DocumentSource,
    HtmlPage,
    HtmlState,
    HtmlVerdict,
    StoredPdf,
    StructuredDocument,
)
from service.jobs.html_judge import Judged
from service.jobs.html_results import HtmlResult, record_html
from tests.db.test_results import record, result

PAPER = ArxivId("2301.00000", 1)
FILE = StoredPdf(path="2301/page.html", sha256="b" * 64, size_bytes=10)
PAGE = HtmlPage(file=FILE, etag='"1"')
DOCUMENT = StructuredDocument(
    source=DocumentSource.HTML, converter="html 1", quality={}, content='{"title": "T"}'
)
GOOD = HtmlVerdict(converter="html 1", quality={"words": 100}, document=DOCUMENT)
WITH_PDF = Judged(replace(PAGE, pdf_sha256="a" * 64), GOOD)
STATES = "SELECT state, html_state FROM job_papers WHERE arxiv_id = '2301.00000'"


@pytest.fixture
async def job(add_job, sql):
    """A job with one paper whose PDF and HTML are wanted."""
    job_id = await add_job(1)
    await sql("UPDATE jobs SET html_pending = 1")
    await sql("UPDATE job_papers SET html_state = 'pending'")
    return job_id


async def html(database, job_id, judged):
    stored = HtmlResult(job_id=job_id, arxiv_id=PAPER, state=HtmlState.STORED, judged=judged)
    return await record_html(database, stored)


async def test_html_that_was_not_compared_with_the_pdf_that_is_held_is_not_stored(
    database, job, sql
):
    await record(database, result(job, 0, "downloaded"))
    await record(database, result(job, 0, "processed", sha256="a" * 64))

    with pytest.raises(JudgedOtherwise):
        await html(database, job, Judged(PAGE, GOOD))

    assert await sql(STATES) == [("processed", "pending")]
    assert await sql("SELECT count(*) FROM html_pages") == [(0,)]
    assert await sql("SELECT status FROM jobs") == [("running",)]


async def test_a_text_that_html_was_not_compared_with_is_not_stored(database, job, sql):
    await record(database, result(job, 0, "downloaded"))
    await html(database, job, Judged(PAGE, GOOD))

    with pytest.raises(JudgedOtherwise):
        await record(database, result(job, 0, "processed", sha256="a" * 64))
    refused = await sql(STATES)
    await record(database, result(job, 0, "processed", sha256="a" * 64, html=WITH_PDF))

    assert refused == [("downloaded", "stored")]
    assert await sql(STATES) == [("processed", "stored")]
    assert await sql("SELECT pdf_sha256 FROM html_pages") == [("a" * 64,)]
    assert await sql("SELECT status, documents_html, html_pending FROM jobs") == [
        ("completed", 1, 0)
    ]


async def test_html_that_is_recorded_twice_counts_once(database, job, sql):
    await record(database, result(job, 0, "downloaded"))
    await record(database, result(job, 0, "processed", sha256="a" * 64))

    for _ in range(2):
        await html(database, job, WITH_PDF)

    assert await sql("SELECT status, documents_html, html_pending FROM jobs") == [
        ("completed", 1, 0)
    ]


async def test_a_page_that_is_refused_later_takes_its_document_along(database, job, sql):
    await html(database, job, Judged(PAGE, GOOD))
    refused = Judged(
        WITH_PDF.page, HtmlVerdict(converter="html 1", quality={}, refused="html_words_missing")
    )

    await record(database, result(job, 0, "downloaded"))
    await record(database, result(job, 0, "processed", sha256="a" * 64, html=refused))

    assert await sql("SELECT count(*) FROM documents") == [(0,)]
    assert await sql("SELECT refused FROM html_pages") == [("html_words_missing",)]


async def test_the_page_of_an_older_version_goes_with_that_of_a_newer_one(database, job, sql):
    await html(database, job, Judged(PAGE, GOOD))
    newer = HtmlPage(file=replace(FILE, path="2301/newer.html", sha256="c" * 64))

    async with database.transaction() as conn:
        left = await HtmlPageStore(conn).save(ArxivId(PAPER.paper, 2), newer, GOOD)

    assert left == [FILE.path]
    assert await sql("SELECT version, path FROM html_pages") == [(2, "2301/newer.html")]
