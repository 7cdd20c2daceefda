"""Work on a PDF: its attempt is counted first, crashes end, and who comes late changes nothing."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from service.db.job_papers import JobPaperStore
from service.domain.errors import BadPdf, UpstreamFaulty
from service.domain.outcomes import Fail, Retry, Snooze, Succeed
from service.extraction.quarantine import Readers
from service.files.local import LocalStore
from service.jobs.fulltext import FetchPdf, PdfTools
from service.jobs.results import ResultWriter
from service.jobs.submit import submit
from service.worker.runner import MAX_CRASHES
from tests.conftest import make_request
from tests.worker.work import Arxiv, harvest, run

PAPER = "2301.00000"
ROW = "SELECT state, attempts, failures FROM job_papers WHERE arxiv_id = '2301.00000'"


@pytest.fixture
async def fetch(database):
    """The work on one PDF of a harvested job."""
    job_id = (await submit(database, make_request(), caller="alice")).job.id
    await run(harvest(database, job_id))
    arxiv = Arxiv(UpstreamFaulty("cut short"))
    recorder = ResultWriter(database, gathering=timedelta(milliseconds=1))
    writing = asyncio.create_task(recorder.run())

    def fetch(**more) -> FetchPdf:
        tools = PdfTools(
            database=database,
            arxiv=arxiv,
            store=Room(),
            extractor=None,
            recorder=recorder,
            readers=Readers(1, calm=timedelta(0)),
        )
        return FetchPdf(job_id, PAPER, False, tools, **more)

    fetch.arxiv = arxiv
    yield fetch
    writing.cancel()
    await asyncio.wait({writing})


class Room:
    """A place for partial files; nothing ever comes to be stored."""

    @asynccontextmanager
    async def partial(self, _):
        yield self

    size, etag = 0, None


async def test_an_attempt_at_a_pdf_is_committed_before_it_is_asked_for(fetch, sql):
    seen = []

    async def look():
        seen.extend(await sql(ROW))

    fetch.arxiv.seen = look
    outcome = await run(fetch())

    assert seen == [("pending", 1, 0)]
    assert isinstance(outcome, Retry)
    assert await sql(ROW) == [("pending", 1, 1)]


async def test_attempts_at_a_pdf_are_bounded(fetch, sql):
    outcomes = [await run(fetch(max_attempts=3)) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Fail]
    assert (await sql(ROW))[0].state == "failed"
    assert await sql("SELECT pdfs_failed FROM jobs") == [(1,)]


async def test_a_pdf_that_took_its_worker_along_is_quarantined(fetch, sql):
    await sql("UPDATE job_papers SET unfinished_reads = 3")

    outcome = await run(fetch())

    assert outcome.code == "quarantined"
    assert fetch.arxiv.asked == 0
    assert (await sql(ROW))[0].state == "failed"


async def test_a_pdf_whose_workers_always_died_is_quarantined(fetch, sql):
    await sql("UPDATE job_papers SET attempts = :n", n=MAX_CRASHES)

    outcome = await run(fetch())

    assert outcome.code == "quarantined"
    assert fetch.arxiv.asked == 0


async def test_an_outcome_that_is_recorded_twice_counts_once(fetch, sql):
    work = fetch()
    attempt = await work.begin()

    for _ in range(2):
        await work.conclude(attempt, Snooze(timedelta(0)), None)

    assert await sql(ROW) == [("pending", 0, 0)]


async def test_a_stale_workers_failure_does_not_fail_a_pdf_that_another_works_on(fetch, sql):
    stale, current = fetch(), fetch()
    late = await stale.begin()
    await current.begin()

    await stale.conclude(late, Fail("upstream_faulty", "gave up"), UpstreamFaulty("late"))

    assert (await sql(ROW))[0].state == "pending"


async def test_the_work_on_a_finished_pdf_is_not_begun(fetch, sql):
    await sql("UPDATE job_papers SET state = 'failed'")

    assert await run(fetch()) == Succeed()
    assert fetch.arxiv.asked == 0


async def test_a_failed_try_that_is_recorded_twice_counts_once(fetch, sql):
    """Its answer was lost on the way, so it is written again."""
    work = fetch()
    attempt = await work.begin()

    for _ in range(2):
        await work.conclude(attempt, Retry(timedelta(0)), UpstreamFaulty("cut short"))

    assert await sql(ROW) == [("pending", 1, 1)]


async def test_a_read_that_ended_forgives_all_that_did_not(fetch, database, sql):
    """It was bad luck: the PDF does not kill its readers."""
    await sql("UPDATE job_papers SET unfinished_reads = 2 WHERE arxiv_id = :paper", paper=PAPER)
    job_id = fetch().job_id

    async with database.transaction() as conn:
        store = JobPaperStore(conn)
        await store.begin_reading(job_id, PAPER)
        await store.end_reading(job_id, PAPER)

    reads = "SELECT unfinished_reads FROM job_papers WHERE arxiv_id = :paper"
    assert await sql(reads, paper=PAPER) == [(0,)]


class Answer:
    """A download of these bytes, whole and with an ETag."""

    offset, total_bytes, etag, content_type = 0, None, '"etag"', "application/pdf"

    def __init__(self, body):
        self.body = body

    async def chunks(self):
        yield self.body


class Refusing:
    """An extractor to whom every file is the same: bad."""

    def __init__(self, code):
        self.code = code

    async def prepare(self):
        """At any time."""

    async def check(self, _):
        raise BadPdf("no", code=self.code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no PDF at all", "corrupt"),
        (b"%PDF-1.4 damaged on its way", "corrupt"),
        (b"%PDF-1.4 a bomb", "resource_limit"),
    ],
)
async def test_a_file_that_was_refused_is_not_kept_for_the_next_try(fetch, tmp_path, body, code):
    """It would go on behind the last byte of the bad one, and never come to anything else."""
    work = fetch()
    store = LocalStore(tmp_path, max_bytes=1000)

    @asynccontextmanager
    async def open_pdf(*_, **__):
        yield Answer(body)

    work.tools.arxiv.open_pdf = open_pdf
    work.tools = replace(work.tools, store=store, extractor=Refusing(code))

    assert isinstance(await run(work), Retry | Fail)
    assert list((tmp_path / ".partial").iterdir()) == []
