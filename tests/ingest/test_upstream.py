"""What becomes of a job when arXiv answers badly. Cases of groups C and D of the fault list."""

import pytest

from service.domain.job import Criteria, JobStatus


async def run_with(rig, *steps, seconds=40, **request):
    """The final job that `request` gives while the stand-in follows `steps`."""
    rig.replica.script(list(steps))
    async with rig.worker():
        job = await rig.final(await rig.submit(**request), seconds=seconds)
    await rig.assert_sound()
    return job


@pytest.mark.parametrize("kind", ["500", "502", "504", "reset", "truncate"])
async def test_a_passing_fault_of_the_api_is_survived(rig, kind):
    job = await run_with(
        rig, {"kind": kind, "lane": "api", "number": 1, "times": 1}, process_pdfs=False
    )

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 10
    assert job.errors_total == 0


async def test_a_fault_that_stays_fails_the_job_with_its_attempts(rig):
    job = await run_with(rig, {"kind": "500", "lane": "api", "times": 99}, process_pdfs=False)

    assert job.status is JobStatus.FAILED
    (error,) = job.errors
    assert (error.code, error.attempt, error.stage) == ("upstream_unavailable", 5, "arxiv_fetch")
    assert len(rig.replica.log.since(lane="api")) == 5


@pytest.mark.parametrize("kind", ["error_400", "error_feed", "404"])
async def test_a_refused_query_fails_at_once(rig, kind):
    job = await run_with(rig, {"kind": kind, "lane": "api", "times": 99}, process_pdfs=False)

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["upstream_rejected_query"]
    assert len(rig.replica.log.since(lane="api")) == 1
    assert await rig.rows("SELECT 1 FROM papers") == []


@pytest.mark.parametrize("kind", ["429", "503", "rate_exceeded"])
async def test_throttling_silences_the_api_and_costs_no_attempt(rig, kind):
    step = {"kind": kind, "lane": "api", "number": 1, "retry_after": "2"}

    job = await run_with(rig, step, process_pdfs=False)

    first, second = rig.replica.log.since(lane="api")[:2]
    assert job.status is JobStatus.COMPLETED
    assert second.started - first.started >= 2
    assert job.errors_total == 0


async def test_an_empty_first_page_is_asked_again_before_it_is_believed(rig):
    once = await run_with(rig, {"kind": "empty_zero", "number": 1}, process_pdfs=False)
    asked = len(rig.replica.log.since(lane="api"))

    assert once.status is JobStatus.COMPLETED
    assert once.papers_fetched == 10
    assert asked == 3


async def test_nothing_found_twice_is_believed(rig):
    job = await run_with(rig, {"kind": "empty_zero", "times": 9}, process_pdfs=False)

    assert job.status is JobStatus.COMPLETED
    assert (job.papers_fetched, job.papers_total) == (0, 0)
    assert len(rig.replica.log.since(lane="api")) == 2


async def test_an_empty_page_in_the_middle_is_asked_again(rig):
    job = await run_with(rig, {"kind": "empty", "number": 2}, process_pdfs=False)

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 10
    assert len(rig.replica.log.since(lane="api")) == 3


@pytest.mark.parametrize("kind", ["empty", "empty_zero"])
async def test_an_empty_answer_to_later_ids_is_asked_again_before_they_are_unknown(rig, kind):
    ids = [rig.replica.corpus.id_of(number) for number in range(6)]
    step = {"kind": kind, "lane": "api", "number": 2}

    job = await run_with(
        rig, step, criteria=Criteria(ids=tuple(ids), page_size=3), process_pdfs=False
    )

    assert (job.papers_fetched, job.pdfs_unavailable, job.errors_total) == (6, 0, 0)
    assert len(rig.replica.log.since(lane="api")) == 3


@pytest.mark.parametrize("kind", ["reset", "truncate", "500", "html"])
async def test_a_passing_fault_of_a_pdf_is_survived(rig, kind):
    job = await run_with(rig, {"kind": kind, "lane": "pdf", "number": 1}, max_papers=2)

    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_failed == 0
    assert job.pdfs_processed == 2 - job.pdfs_unavailable


async def test_a_download_that_stalled_goes_on_where_it_stopped(rig):
    step = {"kind": "stall_after_headers", "lane": "pdf", "number": 1, "after_bytes": 1000}

    job = await run_with(rig, step, max_papers=1)

    assert job.pdfs_processed == 1
    statuses = [record.status for record in rig.replica.log.since(lane="pdf")]
    assert statuses == [200, 206]


async def test_a_captcha_that_stays_fails_the_paper_not_the_job(rig):
    job = await run_with(rig, {"kind": "html", "lane": "pdf", "times": 99}, max_papers=1)

    assert job.status is JobStatus.COMPLETED
    assert (job.pdfs_failed, job.pdfs_downloaded) == (1, 0)
    assert [error.code for error in job.errors] == ["not_pdf"]
    assert job.errors[0].stage == "pdf_download"
    assert len(rig.replica.log.since(lane="pdf")) == 3
    assert rig.files() == {}


@pytest.mark.parametrize("status", [404, 410])
async def test_a_missing_pdf_is_unavailable_and_the_job_completes(rig, status):
    step = {
        "kind": "body",
        "lane": "pdf",
        "times": 99,
        "status": status,
        "body": "<html>gone</html>",
    }

    job = await run_with(rig, step, max_papers=2)

    assert job.status is JobStatus.COMPLETED
    assert (job.pdfs_unavailable, job.pdfs_failed) == (2, 0)
    assert len(rig.replica.log.since(lane="pdf")) == 2
    rows = await rig.rows("SELECT DISTINCT pdf_state FROM papers")
    assert [row.pdf_state for row in rows] == ["unavailable"]


@pytest.mark.parametrize(
    "body", ["", "%PDF-1.7\n", "<html>not a pdf</html>", "\x00\x01random bytes" * 50]
)
async def test_a_body_that_only_says_it_is_a_pdf_is_corrupt(rig, body):
    step = {
        "kind": "body",
        "lane": "pdf",
        "times": 99,
        "content_type": "application/pdf",
        "body": body,
    }

    job = await run_with(rig, step, max_papers=1)

    assert job.status is JobStatus.COMPLETED
    assert [error.code for error in job.errors] == ["corrupt"]
    assert rig.files() == {}


async def test_a_redirect_to_another_host_is_refused(rig):
    step = {
        "kind": "redirect",
        "lane": "api",
        "times": 9,
        "location": "http://localhost:1/elsewhere",
    }

    job = await run_with(rig, step, process_pdfs=False)

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["redirect_refused"]


async def test_as_many_pdfs_are_under_way_as_there_may_be(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "times": 28, "seconds": 60}])
    ids = tuple(map(rig.replica.corpus.id_of, range(30)))
    job_id = await rig.submit(max_papers=30, criteria=Criteria(ids=ids, page_size=30))

    async with rig.worker(PDF_CONCURRENCY="28"):
        await rig.replica.wait_until_held(20, timeout=20)
        rig.replica.release()
        job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
