"""Results of PDF work: each counts once, and the job ends with the last."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from service.db.job_papers import JobPaperStore, Move
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from service.domain.papers import ExtractedText, PaperState, StoredPdf
from service.jobs.results import Result, ResultWriter

COUNTERS = (
    "SELECT status, pdfs_downloaded, pdfs_processed, pdfs_pending, pdfs_failed,"
    " pdfs_unavailable, errors_total FROM jobs WHERE id = :job"
)
TEXT = ExtractedText(text="words", page_count=1)


def result(job_id, number: int, state: str, **more) -> Result:
    arxiv_id = ArxivId(f"2301.{number:05}", 1)
    pdf = StoredPdf(path=f"2301/{arxiv_id}.pdf", sha256="a" * 64, size_bytes=10)
    known = {
        "downloaded": {"pdf": pdf},
        "processed": {"text": TEXT},
        "failed": {"reason": "corrupt", "error": problem(arxiv_id.paper)},
        "unavailable": {"reason": "unavailable", "error": problem(arxiv_id.paper)},
    }[state]
    return Result(job_id=job_id, arxiv_id=arxiv_id, state=PaperState(state), **{**known, **more})


def problem(paper: str) -> JobError:
    return JobError(stage=Stage.PDF_DOWNLOAD, message="bad", code="corrupt", arxiv_id=paper)


@asynccontextmanager
async def recording(database):
    recorder = ResultWriter(database, gathering=timedelta(milliseconds=5))
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait({task})


async def record(database, *results: Result) -> None:
    async with recording(database) as recorder, asyncio.timeout(60):
        await asyncio.gather(*(recorder.record(one) for one in results))


async def test_a_paper_on_its_way_moves_the_counters(database, add_job, sql):
    job_id = await add_job(2)

    await record(database, result(job_id, 0, "downloaded"))
    first = await sql(COUNTERS, job=job_id)
    await record(database, result(job_id, 0, "processed"))
    second = await sql(COUNTERS, job=job_id)

    assert first == [("running", 1, 0, 2, 0, 0, 0)]
    assert second == [("running", 1, 1, 1, 0, 0, 0)]
    assert await sql("SELECT pdf_state FROM papers ORDER BY arxiv_id LIMIT 1") == [("processed",)]


async def test_a_job_completes_with_its_last_paper_and_not_before(database, add_job, sql):
    job_id = await add_job(2)

    await record(database, result(job_id, 0, "failed"))
    before = await sql(COUNTERS, job=job_id)
    await record(database, result(job_id, 1, "downloaded"), result(job_id, 1, "processed"))

    assert before == [("running", 0, 0, 1, 1, 0, 1)]
    assert await sql(COUNTERS, job=job_id) == [("completed", 1, 1, 0, 1, 0, 1)]


async def test_a_job_that_is_still_harvested_does_not_complete(database, add_job, sql):
    job_id = await add_job(1, is_harvested=False)

    await record(database, result(job_id, 0, "unavailable"))

    assert await sql(COUNTERS, job=job_id) == [("running", 0, 0, 0, 0, 1, 1)]


@pytest.mark.parametrize("together", [True, False])
async def test_a_result_that_comes_twice_counts_once(database, add_job, sql, together):
    job_id = await add_job(2)
    twice = [result(job_id, 0, "failed")] * 2

    if together:
        await record(database, *twice)
    else:
        for one in twice:
            await record(database, one)

    assert await sql(COUNTERS, job=job_id) == [("running", 0, 0, 1, 1, 0, 1)]


@pytest.mark.parametrize("late", ["downloaded", "processed", "failed", "unavailable"])
async def test_nothing_comes_after_processed(database, add_job, sql, late):
    job_id = await add_job(2)
    await record(database, result(job_id, 0, "downloaded"))
    await record(database, result(job_id, 0, "processed"))
    before = await sql("SELECT * FROM jobs"), await sql("SELECT * FROM job_papers")

    await record(database, result(job_id, 0, late))

    assert (await sql("SELECT * FROM jobs"), await sql("SELECT * FROM job_papers")) == before
    assert await sql("SELECT * FROM job_errors") == []


@pytest.mark.parametrize("late", ["downloaded", "processed"])
async def test_nothing_comes_after_failed(database, add_job, sql, late):
    job_id = await add_job(2)
    await record(database, result(job_id, 0, "failed"))
    before = await sql("SELECT * FROM jobs")

    await record(database, result(job_id, 0, late))

    assert await sql("SELECT * FROM jobs") == before


async def test_processed_does_not_come_before_downloaded(database, add_job, sql):
    job_id = await add_job(1)

    await record(database, result(job_id, 0, "processed"))

    assert await sql(COUNTERS, job=job_id) == [("running", 0, 0, 1, 0, 0, 0)]


async def test_many_results_at_once_on_two_replicas_count_right(
    database, other_database, add_job, sql
):
    jobs = [await add_job(60) for _ in range(2)]
    results = [result(job, n, "downloaded") for n in range(60) for job in jobs]
    done = [result(job, n, "processed" if n % 3 else "failed") for n in range(60) for job in jobs]

    await asyncio.gather(record(database, *results), record(other_database, *reversed(results)))
    await asyncio.gather(record(database, *done), record(other_database, *reversed(done)))

    for job_id in jobs:
        assert await sql(COUNTERS, job=job_id) == [("completed", 60, 40, 0, 20, 0, 20)]


async def test_a_cancelled_job_keeps_its_counters(database, add_job, sql):
    job_id = await add_job(2)
    await sql("SELECT cancel_job(:job)", job=job_id)
    before = await sql("SELECT * FROM jobs")

    await record(database, result(job_id, 0, "downloaded"), result(job_id, 1, "failed"))

    assert await sql("SELECT * FROM jobs") == before
    assert await sql("SELECT DISTINCT state FROM job_papers") == [("pending",)]


async def test_what_a_cancelled_job_brought_in_is_kept(database, add_job, sql):
    job_id = await add_job(1)
    await sql("SELECT cancel_job(:job)", job=job_id)

    await record(database, result(job_id, 0, "downloaded"))

    assert await sql("SELECT pdf_state FROM papers") == [("downloaded",)]


async def test_one_result_that_cannot_be_stored_does_not_stop_the_others(database, add_job, sql):
    job_id = await add_job(3)
    bad = result(job_id, 0, "downloaded", pdf=StoredPdf(path="x", sha256="no", size_bytes=0))

    async with recording(database) as recorder, asyncio.timeout(60):
        answers = await asyncio.gather(
            recorder.record(bad),
            recorder.record(result(job_id, 1, "downloaded")),
            return_exceptions=True,
        )
        await recorder.record(result(job_id, 2, "downloaded"))

    assert isinstance(answers[0], Exception)
    assert answers[1] is None
    assert (await sql(COUNTERS, job=job_id))[0].pdfs_downloaded == 2


async def test_a_sender_that_gave_up_does_not_stop_the_others(database, add_job, sql):
    job_id = await add_job(2)
    async with recording(database) as recorder, asyncio.timeout(10):
        gone = asyncio.create_task(recorder.record(result(job_id, 0, "downloaded")))
        await asyncio.sleep(0)
        gone.cancel()

        await recorder.record(result(job_id, 1, "downloaded"))

    assert await sql("SELECT state FROM job_papers WHERE arxiv_id = '2301.00001'") == [
        ("downloaded",)
    ]


async def test_a_move_tells_exactly_what_changed(database, add_job):
    job_id = await add_job(3)
    moves = [Move(job_id, f"2301.{n:05}", PaperState.DOWNLOADED) for n in range(3)]

    async with database.transaction() as conn:
        first = await JobPaperStore(conn).move(moves[:2])
        again = await JobPaperStore(conn).move(moves)

    assert first == {(job_id, "2301.00000"), (job_id, "2301.00001")}
    assert again == {(job_id, "2301.00002")}


async def test_of_two_that_move_one_paper_one_changes_it(database, other_database, add_job):
    job_id = await add_job(1)
    move = [Move(job_id, "2301.00000", PaperState.FAILED, "corrupt")]

    async def moved(pool) -> int:
        async with pool.transaction() as conn:
            return len(await JobPaperStore(conn).move(move))

    changes = await asyncio.gather(*(moved(pool) for pool in (database, other_database) * 4))

    assert sum(changes) == 1


async def test_errors_count_whoever_writes_them(add_job, sql):
    ours, others = await add_job(), await add_job()

    await sql(
        "INSERT INTO job_errors (job_id, stage, error)"
        f" SELECT '{ours}'::uuid, 'general', 'e' FROM generate_series(1, 7)"
        f" UNION ALL SELECT '{others}'::uuid, 'store', 'e' FROM generate_series(1, 2)"
    )

    assert (await sql(COUNTERS, job=ours))[0].errors_total == 7
    assert (await sql(COUNTERS, job=others))[0].errors_total == 2
