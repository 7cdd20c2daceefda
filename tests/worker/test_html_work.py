"""Work on HTML: attempts are counted first, crashes end, and who comes late changes nothing."""

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from service.domain.errors import UpstreamFaulty
from service.domain.outcomes import Fail, Retry, Snooze
from service.extraction.pool import ChildDied
from service.extraction.quarantine import Readers
from service.files.local import LocalStore
from service.jobs.html_page import FetchHtml, HtmlTools
from service.jobs.submit import submit
from tests.conftest import make_request
from tests.worker.work import harvest, run

PAPER = "2301.00000"
ROW = (
    "SELECT html_state, html_reason, html_attempts, html_failures, html_unfinished_reads"
    " FROM job_papers WHERE arxiv_id = '2301.00000'"
)


class Pages:
    """A stand-in for arXiv's HTML, and for what reads it: an error, or a page that kills."""

    error: Exception | None = None
    asked = 0
    offset, total_bytes, etag, content_type = 0, None, None, "text/html"

    @asynccontextmanager
    async def open_html(self, *_, **__):
        self.asked += 1
        if self.error is not None:
            raise self.error
        yield self

    async def chunks(self):
        yield b"<html>"

    async def prepare(self):
        pass

    async def judge_html(self, *_):
        raise ChildDied("died")


@pytest.fixture
async def pages():
    return Pages()


@pytest.fixture
async def fetch(database, pages, tmp_path):
    """The work on one page of a harvested job."""
    request = make_request(process_html=True, process_pdfs=False)
    job_id = (await submit(database, request, caller="alice")).job.id
    await run(harvest(database, job_id))
    store = LocalStore(tmp_path, max_bytes=1000)
    await store.prepare()

    def fetch(**more):
        readers = Readers(1, calm=timedelta(0))
        tools = HtmlTools(
            database=database, arxiv=pages, store=store, extractor=pages, readers=readers
        )
        return FetchHtml(job_id, PAPER, False, tools, **more)

    return fetch


async def test_a_page_that_is_cut_again_and_again_fails_after_three_requests(fetch, pages, sql):
    pages.error = UpstreamFaulty("cut short")

    outcomes = [await run(fetch()) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Fail]
    assert await sql(ROW) == [("failed", "html_corrupt", 3, 2, 0)]
    assert pages.asked == 3
    assert await sql("SELECT html_pending, errors_total FROM jobs") == [(4, 1)]
    assert await sql("SELECT stage, code FROM job_errors") == [("pdf_processing", "html_corrupt")]


async def test_a_page_that_kills_its_reader_costs_that_page_only(fetch, sql):
    for _ in range(3):
        await run(fetch())

    assert (await sql(ROW))[0][:2] == ("failed", "html_quarantined")
    states = await sql(
        "SELECT html_state, state, count(*) FROM job_papers GROUP BY 1, 2 ORDER BY 1"
    )
    assert states == [("failed", "skipped", 1), ("pending", "pending", 4)]


async def test_a_page_that_took_its_worker_along_is_quarantined(fetch, pages, sql):
    await sql("UPDATE job_papers SET html_unfinished_reads = 3")

    await run(fetch())

    assert (await sql(ROW))[0][:2] == ("failed", "html_quarantined")
    assert pages.asked == 0


async def test_a_stale_workers_failure_does_not_fail_a_page_that_another_works_on(fetch, sql):
    stale, current = fetch(), fetch()
    late = await stale.begin()
    await current.begin()

    await stale.conclude(late, Fail("html_corrupt", "gave up"), UpstreamFaulty("late"))

    assert (await sql(ROW))[0][0] == "pending"


async def test_an_outcome_that_is_recorded_twice_counts_once(fetch, sql):
    work = fetch()
    attempt = await work.begin()

    for _ in range(2):
        await work.conclude(attempt, Snooze(timedelta(0)), None)

    assert await sql(ROW) == [("pending", None, 0, 0, 0)]
