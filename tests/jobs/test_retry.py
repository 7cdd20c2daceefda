"""Retries run to their end: what failed is ingested, a list that ended early goes on."""

from yarl import URL

from service.domain.jobs import Criteria, JobStatus
from service.jobs.retry import retry
from tests.jobs.conftest import TAKES_OVER

STATES = "SELECT state, count(*) FROM job_papers WHERE job_id = :job GROUP BY 1"
BROKEN = {"kind": "body", "lane": "pdf", "status": 451, "body": "no PDF"}  # at once, for good


async def states(rig, job_id):
    return {row.state: row.count for row in await rig.rows(STATES, job=job_id)}


async def all_failed(rig, **changes):
    """A finished job none of whose ten PDFs came, however often one was asked for."""
    rig.replica.script([{**BROKEN, "times": 1000}])
    async with rig.worker():
        job = await rig.final(await rig.submit(**changes))
    rig.replica.forget_script()
    assert await states(rig, job.id) == {"failed": 10}
    return job


async def retried(rig, job_id, **changes):
    """The retry of a job, at its end, and every row of the old one as it was before."""
    before = await rig.result(job_id)
    again = (await retry(rig.database, job_id, caller="tests")).job
    async with rig.worker(**changes):
        job = await rig.final(again.id)
    await rig.assert_sound()
    after = await rig.result(job_id)
    assert (after["job"], after["job_papers"]) == (before["job"], before["job_papers"])
    return job


async def test_failed_papers_are_all_brought_in_and_arxiv_is_not_searched_again(rig):
    rig.replica.script([{**BROKEN, "times": 4}])
    async with rig.worker():
        job = await rig.final(await rig.submit(batch_size=3))
    asked = len(rig.replica.log.since(lane="api"))

    again = await retried(rig, job.id)

    assert await states(rig, job.id) == {"failed": 4, "processed": 6}
    assert again.status is JobStatus.COMPLETED
    assert await states(rig, again.id) == {"processed": 4}
    assert (again.papers_total, again.papers_fetched, again.pdfs_processed) == (4, 4, 4)
    assert again.retry_of == job.id
    assert len(rig.replica.log.since(lane="api")) == asked
    assert len(rig.files()) == 10


async def test_what_fails_again_may_be_retried_again(rig):
    rig.replica.script([{**BROKEN, "times": 5}])
    async with rig.worker():
        job = await rig.final(await rig.submit(max_papers=3))

    first = await retried(rig, job.id)
    second = await retried(rig, first.id)

    assert await states(rig, first.id) == {"failed": 2, "processed": 1}
    assert await states(rig, second.id) == {"processed": 2}


async def test_a_paper_that_another_job_brought_in_meanwhile_is_left_alone(rig):
    rig.replica.script([{**BROKEN, "times": 2}])
    async with rig.worker():
        job = await rig.final(await rig.submit(max_papers=2))
        await rig.final(await rig.submit(max_papers=2))

    again = await retried(rig, job.id)

    assert again.status is JobStatus.COMPLETED
    assert await states(rig, again.id) == {"skipped": 2}


async def test_a_harvest_that_failed_in_the_middle_goes_on_from_there(rig):
    rig.replica.script([{"kind": "error_400", "lane": "api", "number": 2}])
    async with rig.worker():
        job = await rig.final(await rig.submit(criteria=Criteria(category="cs.AI", page_size=4)))

    again = await retried(rig, job.id)

    whole = await rig.rows("SELECT arxiv_id FROM papers")
    asked = [URL(record.path).query["start"] for record in rig.replica.log.since(lane="api")]
    assert (job.status, job.papers_fetched) == (JobStatus.FAILED, 4)
    assert again.status is JobStatus.COMPLETED
    assert asked == ["0", "4", "4", "8"]
    assert len(whole) == len(rig.files()) == 10
    unfinished = sum(n for state, n in (await states(rig, job.id)).items() if state != "processed")
    assert again.papers_total == again.papers_fetched == 6 + unfinished


async def test_a_cancelled_job_goes_on_with_its_open_papers(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "seconds": 60, "times": 2}])
    async with rig.worker(PDF_CONCURRENCY="2"):
        job_id = await rig.submit()
        await rig.until(job_id, lambda job: job.papers_fetched == 10)
        await rig.replica.wait_until_held(timeout=90)
        await rig.rows("SELECT cancel_job(:job)", job=job_id)
        job = await rig.final(job_id)
    rig.replica.release()

    again = await retried(rig, job.id)

    assert job.status is JobStatus.CANCELLED
    assert again.status is JobStatus.COMPLETED
    assert await states(rig, again.id) == {"processed": 10}


async def test_taking_over_goes_on_after_a_crash_between_two_batches(rig):
    job = await all_failed(rig, batch_size=2)
    again = (await retry(rig.database, job.id, caller="tests")).job
    async with rig.database.engine.connect() as holder:
        # the third batch waits for the key of this paper's task, and dies there
        (paper,) = await rig.rows("SELECT arxiv_id FROM papers ORDER BY 1 OFFSET 4 LIMIT 1")
        await holder.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        await holder.exec_driver_sql(
            "INSERT INTO pgqueuer (priority, status, entrypoint, dedupe_key)"
            " VALUES (0, 'queued', 'pdf', $1)",
            (f"pdf:{again.id}:{paper.arxiv_id}",),
        )
        async with rig.process() as process:
            await rig.until(again.id, lambda found: found.papers_fetched == 4)
            process.kill()
            await process.wait()
        await holder.rollback()

    async with rig.worker(**TAKES_OVER):
        ended = await rig.final(again.id)

    await rig.assert_sound()
    assert ended.status is JobStatus.COMPLETED
    assert await states(rig, again.id) == {"processed": 10}
    assert ended.papers_fetched == 10


async def test_two_workers_take_each_paper_over_once(rig):
    job = await all_failed(rig, batch_size=1)
    again = (await retry(rig.database, job.id, caller="tests")).job
    await rig.rows(
        "INSERT INTO pgqueuer (priority, status, entrypoint, headers, payload) SELECT priority,"
        " status, entrypoint, headers, payload FROM pgqueuer RETURNING id"
    )

    async with rig.worker():
        ended = await rig.final(again.id)

    await rig.assert_sound()
    assert ended.papers_fetched == 10
    assert await states(rig, again.id) == {"processed": 10}
