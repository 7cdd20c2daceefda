"""Spec 6.9: the life of a job is read from the log; each event once, after its commit."""

from structlog.testing import capture_logs

from service.domain.jobs import Criteria, JobStatus
from service.jobs.retry import retry

LIFE = {"job created", "job started", "page stored", "job completed", "job failed", "job retried"}
BROKEN = {"kind": "body", "lane": "pdf", "content_type": "application/pdf", "body": "no PDF"}


def life_of(lines, job_id):
    """The events of one job, in order."""
    return [line for line in lines if line.get("job_id") == str(job_id) and line["event"] in LIFE]


async def test_the_life_of_a_job(rig):
    with capture_logs() as lines:
        job_id = await rig.submit(process_pdfs=False)
        async with rig.worker():
            job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
    life = life_of(lines, job_id)
    assert [line["event"] for line in life] == [
        "job created",
        "job started",
        "page stored",
        "page stored",
        "job completed",
    ]
    created, started, *pages, completed = life
    assert created["requested_by"] == started["requested_by"] == "tests"
    assert sum(page["papers_fetched"] for page in pages) == job.papers_fetched == 10
    assert completed["requested_by"] == "tests"
    assert completed["seconds"] >= 0
    assert completed["log_level"] == "info"


async def test_a_job_that_ends_with_its_last_pdf_is_completed_once_and_names_what_failed(rig):
    rig.replica.script([{**BROKEN, "times": 9}])
    with capture_logs() as lines:
        async with rig.worker():
            job = await rig.final(await rig.submit(max_papers=1))

    assert job.status is JobStatus.COMPLETED
    ends = [line["event"] for line in life_of(lines, job.id) if line["event"] == "job completed"]
    assert ends == ["job completed"]
    (failed,) = [line for line in lines if line["event"] == "pdf failed"]
    (error,) = job.errors
    attempts = [line for line in lines if line["event"] == "attempt failed"]
    assert [line["outcome"] for line in attempts] == ["Retry", "Retry", "Fail"]
    assert {(line["job_id"], line["arxiv_id"]) for line in attempts} == {
        (str(job.id), error.arxiv_id)
    }
    assert failed["job_id"] == str(job.id)
    assert (failed["arxiv_id"], failed["code"]) == (error.arxiv_id, error.code)
    assert failed["stage"] == "pdf_download"
    assert failed["attempt"] == error.attempt == 3


async def test_a_pdf_that_arxiv_refuses_names_its_status(rig):
    rig.replica.script([{"kind": "404", "lane": "pdf", "times": 1}])
    with capture_logs() as lines:
        async with rig.worker():
            job = await rig.final(await rig.submit(max_papers=2))

    (failed,) = [line for line in lines if line["event"] == "pdf failed"]
    assert failed["job_id"] == str(job.id)
    assert (failed["code"], failed["upstream_status"]) == ("unavailable", 404)


async def test_a_failed_job_and_its_retry(rig):
    rig.replica.script([{"kind": "error_400", "lane": "api", "times": 1}])
    with capture_logs() as lines:
        async with rig.worker():
            job = await rig.final(await rig.submit())
        again = (await retry(rig.database, job.id, caller="somebody")).job

    assert job.status is JobStatus.FAILED
    life = life_of(lines, job.id)
    assert [line["event"] for line in life] == ["job created", "job started", "job failed"]
    failed = life[-1]
    assert failed["log_level"] == "warning"
    assert failed["code"] == "upstream_rejected_query"
    assert failed["stage"] == "arxiv_fetch"
    assert failed["upstream_status"] == 400
    assert failed["requested_by"] == "tests"
    created, retried = life_of(lines, again.id)
    assert (created["event"], created["retry_of"]) == ("job created", str(job.id))
    assert (retried["event"], retried["retry_of"]) == ("job retried", str(job.id))
    assert retried["by"] == "somebody"


async def test_a_job_that_got_too_little_fails_once(rig):
    """The last step fails it, in the transaction that stores the page."""
    rig.replica.script(
        [{"kind": "ok", "lane": "api"}, {"kind": "empty", "lane": "api", "times": 20}]
    )
    criteria = Criteria(category="cs.AI", page_size=5)
    with capture_logs() as lines:
        async with rig.worker():
            job = await rig.final(await rig.submit(criteria=criteria, process_pdfs=False))

    assert job.status is JobStatus.FAILED
    (failed,) = [line for line in lines if line["event"] == "job failed"]
    assert failed["code"] == "upstream_incomplete"
