"""HTML of papers, from the stand-in to the document: stored once, judged with the PDF, refused."""

import hashlib

import aiohttp
import pytest

from service.devtools.stand_in.html import Quality
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, JobStatus
from service.files.local import LocalStore
from service.files.paths import Ending
from service.jobs.retry import retry
from tests.jobs.conftest import TAKES_OVER, kill

STATES = "SELECT html_state AS state, count(*) AS n FROM job_papers WHERE job_id = :job GROUP BY 1"
PAGES = (
    "SELECT arxiv_id, version, path, sha256, bytes, etag, converter, pdf_sha256, refused,"
    " license FROM html_pages ORDER BY 1, 2"
)
DOCUMENTS = (
    "SELECT arxiv_id, version, source, converter, input_sha256, md5(content::text) AS content"
    " FROM documents ORDER BY 1, 2, 3"
)


def ids(rig, quality, count, *, of=60):
    """Papers of the stand-in whose newest version has a page of that quality, and a PDF."""
    corpus = rig.replica.corpus
    numbers = [
        n
        for n in range(of)
        if rig.replica.pages.quality(n, corpus.versions(n)) is quality
        and not corpus.is_withdrawn(n, corpus.versions(n))
    ]
    return Criteria(ids=tuple(corpus.id_of(n) for n in numbers[:count]))


async def states(rig, job_id):
    return {row.state: row.n for row in await rig.rows(STATES, job=job_id)}


async def test_a_job_stores_html_and_makes_documents_of_it(rig):
    criteria = ids(rig, Quality.GOOD, 3)
    job = await rig.ingested(criteria=criteria, max_papers=3, process_html=True)

    assert (job.status, job.errors_total) == (JobStatus.COMPLETED, 0)
    assert (job.pdfs_processed, job.html_pending) == (3, 0)
    assert (job.documents_html, job.documents_pdf) == (3, 0)
    assert await states(rig, job.id) == {"stored": 3}
    pages, documents = await rig.rows(PAGES), await rig.rows(DOCUMENTS)
    assert len(pages) == 3
    assert {row.refused for row in pages} == {None}
    assert all(row.etag for row in pages)
    pdfs = {row.arxiv_id: row.pdf_sha256 for row in await rig.rows("SELECT * FROM papers")}
    assert {row.arxiv_id: row.pdf_sha256 for row in pages} == pdfs
    by_source = {(row.arxiv_id, row.source): row.input_sha256 for row in documents}
    assert len(by_source) == 6
    assert all(by_source[row.arxiv_id, "html"] == row.sha256 for row in pages)
    assert all(by_source[row.arxiv_id, "pdf"] == row.pdf_sha256 for row in pages)


async def test_every_page_is_held_once_and_not_asked_for_again(rig):
    """Of a paper whose PDF is held the HTML is fetched; of one whose HTML is held nothing."""
    criteria = ids(rig, Quality.GOOD, 2)
    await rig.ingested(criteria=criteria, max_papers=2)
    second = await rig.ingested(criteria=criteria, max_papers=2, process_html=True)
    assert await states(rig, second.id) == {"stored": 2}
    assert (second.pdfs_downloaded, second.documents_html) == (0, 2)
    before = len(rig.replica.log.since(lane="html"))

    job = await rig.ingested(criteria=criteria, max_papers=2, process_html=True)

    assert await states(rig, job.id) == {"skipped": 2}
    assert len(rig.replica.log.since(lane="html")) == before
    assert job.status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("trap", "state"), [("html-missing", "unavailable"), ("html-stub", "refused")]
)
async def test_a_paper_without_good_html_goes_on_with_its_pdf(rig, trap, state):
    rig.replica.trap(trap)

    job = await rig.ingested(max_papers=3, process_html=True)

    assert (job.status, job.errors_total) == (JobStatus.COMPLETED, 0)
    assert await states(rig, job.id) == {state: 3}
    assert (job.documents_html, job.documents_pdf) == (0, job.pdfs_processed)
    assert {row.refused for row in await rig.rows(PAGES)} <= {"html_stub"}
    assert {row.source for row in await rig.rows(DOCUMENTS)} == {"pdf"}


async def test_html_alone_leaves_the_paper_pending_until_it_is_stored_or_refused(rig):
    criteria = ids(rig, Quality.GOOD, 2)
    rig.replica.script([{"kind": "hold", "lane": "html"}])

    async with rig.worker():
        job_id = await rig.submit(
            criteria=criteria, max_papers=2, process_html=True, process_pdfs=False
        )
        await rig.replica.wait_until_held(1, timeout=60)
        job = await rig.until(job_id, lambda job: job.html_pending == 2)
        waiting = await rig.rows("SELECT state, html_state FROM job_papers")
        rig.replica.release()
        ended = await rig.final(job_id)

    assert set(waiting) == {("pending", "pending")}
    assert (job.pdfs_pending, job.status) == (0, JobStatus.RUNNING)
    rows = await rig.rows("SELECT state, reason, html_state FROM job_papers")
    assert set(rows) == {("skipped", "pdf_not_wanted", "stored")}
    assert (ended.documents_html, ended.documents_pdf, ended.pdfs_processed) == (2, 0, 0)


async def test_html_before_the_pdf_is_judged_anew_when_the_pdf_has_come(rig):
    criteria = ids(rig, Quality.GOOD, 1)
    only = {"criteria": criteria, "max_papers": 1}
    await rig.ingested(**only, process_html=True, process_pdfs=False)
    (before,) = await rig.rows(PAGES)

    job = await rig.ingested(**only)

    (after,) = await rig.rows(PAGES)
    ((sha256,),) = await rig.rows("SELECT pdf_sha256 FROM papers")
    assert (before.pdf_sha256, after.pdf_sha256) == (None, sha256)
    assert (job.documents_html, job.documents_pdf) == (1, 0)
    ((pages,),) = await rig.rows(
        "SELECT content #>> '{sections,0,page}' FROM documents WHERE source = 'html'"
    )
    assert pages is not None


async def test_html_that_cannot_be_had_is_an_error_of_the_job_which_a_retry_mends(rig):
    criteria = ids(rig, Quality.GOOD, 1)
    step = {"kind": "body", "lane": "html", "body": "<html>captcha</html>", "times": 3}
    job = await rig.ingested(step, criteria=criteria, max_papers=1, process_html=True)

    (error,) = job.errors
    assert (job.status, error.stage, error.code) == (
        JobStatus.COMPLETED,
        "pdf_processing",
        "html_no_document",
    )
    assert await states(rig, job.id) == {"failed": 1}
    assert (job.documents_html, job.documents_pdf) == (0, 1)

    async with rig.worker():
        again = (await retry(rig.database, job.id, caller="tests")).job
        ended = await rig.final(again.id)

    assert (ended.errors_total, ended.documents_html) == (0, 1)
    assert await states(rig, again.id) == {"stored": 1}


async def test_a_download_that_a_dead_worker_began_is_gone_on_with(rig):
    criteria = ids(rig, Quality.GOOD, 1)
    corpus = rig.replica.corpus
    paper = ArxivId(criteria.ids[0].paper, corpus.versions(corpus.find(criteria.ids[0])))
    url = f"{rig.replica.html_url}/{paper}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        etag, body = answer.headers["ETag"], await answer.read()
    store = LocalStore(rig.folder / "files", max_bytes=1 << 20)
    await store.prepare()
    async with store.partial(paper, Ending.HTML) as part:
        await part.write(body[:1000])
        await part.record_etag(etag)
    rig.replica.log.clear()

    await rig.ingested(criteria=criteria, max_papers=1, process_html=True)

    (asked,) = rig.replica.log.since(lane="html")
    (page,) = await rig.rows(PAGES)
    assert (asked.status, asked.bytes_sent) == (206, len(body) - 1000)
    assert (page.sha256, page.etag) == (hashlib.sha256(body).hexdigest(), etag)
    assert rig.parts() == []


async def test_a_worker_killed_at_any_moment_leaves_what_another_one_ends_alike(rig):
    criteria = ids(rig, Quality.GOOD, 3)
    wanted = {"criteria": criteria, "max_papers": 3, "process_html": True}
    first = await rig.ingested(**wanted)
    expected = [await rig.rows(PAGES), await rig.rows(DOCUMENTS), await rig.result(first.id)]
    await rig.forget()
    rig.replica.script([{"kind": "ok", "lane": "html"}, {"kind": "hold", "lane": "html"}])
    job_id = await rig.submit(**wanted)

    async with rig.process() as worker:
        await rig.replica.wait_until_held(1, timeout=60)
        await kill(worker)
    rig.replica.release()
    async with rig.worker(**TAKES_OVER):
        job = await rig.final(job_id)

    assert job.resumed >= 1
    await rig.assert_sound()
    assert [
        await rig.rows(PAGES),
        await rig.rows(DOCUMENTS),
        {**await rig.result(job_id), "job": expected[2]["job"]},
    ] == expected
    assert rig.parts() == []


DEEP = '<html><article class="ltx_document">' + "<span>" * 50_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (DEEP, "html_too_deep"),
        ("<html>" + "x" * (17 << 20), "html_too_large"),
        ('<html><article class="ltx_document">' + "<i>" * 1_000_001, "html_too_large"),
    ],
    ids=["deep", "long", "many"],
)
async def test_hostile_html_costs_one_paper_its_page_and_nothing_else(rig, body, code):
    step = {"kind": "body", "lane": "html", "body": body, "content_type": "text/html"}
    job = await rig.ingested(
        step, criteria=ids(rig, Quality.GOOD, 2), max_papers=2, process_html=True
    )

    (error,) = job.errors
    assert (job.status, error.code) == (JobStatus.COMPLETED, code)
    assert (job.pdfs_processed, job.documents_html, job.documents_pdf) == (2, 1, 1)
    assert await states(rig, job.id) == {"failed": 1, "stored": 1}


async def test_two_versions_of_a_paper_have_each_its_own_html(rig):
    corpus = rig.replica.corpus
    number = next(
        n
        for n in range(60)
        if corpus.versions(n) > 1
        and {rig.replica.pages.quality(n, v) for v in (1, corpus.versions(n))} == {Quality.GOOD}
    )
    name, newest = corpus.id_of(number).paper, corpus.versions(number)
    both = Criteria(ids=(ArxivId(name, 1), ArxivId(name)))

    job = await rig.ingested(criteria=both, max_papers=2, process_html=True)

    assert (job.status, job.errors_total, job.documents_html) == (JobStatus.COMPLETED, 0, 2)
    assert await states(rig, job.id) == {"stored": 2}
    pages = await rig.rows(PAGES)
    assert [(row.version, row.refused) for row in pages] == [(1, None), (newest, None)]
    assert all(row.pdf_sha256 for row in pages)
