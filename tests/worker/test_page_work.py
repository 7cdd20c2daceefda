"""Work on a page: its start is counted first, crashes end, and who comes late changes nothing."""

import asyncio
from datetime import timedelta

import pytest

from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.outcomes import Fail, Retry, Succeed
from service.jobs.submit import submit
from service.worker.runner import MAX_CRASHES
from tests.conftest import make_paper, make_request
from tests.worker.work import Arxiv, harvest, run

JOB = "SELECT status, papers_fetched, pages_fetched, harvest_starts, harvest_attempts FROM jobs"


@pytest.fixture
async def job_id(database):
    return (await submit(database, make_request(), caller="alice")).job.id


async def test_a_start_is_committed_before_arxiv_is_asked(database, job_id, sql):
    arxiv, seen = Arxiv(), []

    async def look():
        seen.extend(await sql("SELECT status, harvest_starts FROM jobs"))

    arxiv.seen = look

    assert await run(harvest(database, job_id, arxiv)) == Succeed()
    assert seen == [("running", 1)]
    assert await sql(JOB) == [("running", 5, 1, 0, 0)]


async def test_no_transaction_is_open_while_arxiv_is_asked(database, job_id, sql):
    arxiv, seen = Arxiv(), []

    async def look():
        seen.extend(
            await sql(
                "SELECT state FROM pg_stat_activity WHERE application_name = 'tests'"
                " AND state LIKE 'idle in transaction%'"
            )
        )

    arxiv.seen = look
    await run(harvest(database, job_id, arxiv))

    assert seen == []


async def test_a_task_whose_page_is_stored_asks_nothing_and_counts_no_start(database, job_id, sql):
    """Its result was not written, so it runs again, beside the task of the next page."""
    first = harvest(database, job_id)
    first.page = {"task": 0}
    await run(first)
    before = await sql(JOB)

    arxiv = Arxiv()
    again = harvest(database, job_id, arxiv)
    again.page = first.page
    assert await run(again) == Succeed()

    assert arxiv.asked == 0
    assert await sql(JOB) == before


async def test_a_failed_try_counts_an_attempt_and_gives_its_start_back(database, job_id, sql):
    outcome = await run(harvest(database, job_id, Arxiv(UpstreamFaulty("cut short"))))

    assert isinstance(outcome, Retry)
    assert await sql(JOB) == [("running", 0, 0, 0, 1)]


async def test_tries_are_bounded_and_then_the_job_fails(database, job_id, sql):
    work = harvest(database, job_id, Arxiv(UpstreamFaulty("cut short")), max_attempts=3)

    outcomes = [await run(work) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Retry, Retry, Fail]
    assert (await sql(JOB))[0].status == "failed"
    assert len(await sql("SELECT * FROM job_errors")) == 1


async def test_a_query_that_is_refused_fails_at_once(database, job_id, sql):
    outcome = await run(harvest(database, job_id, Arxiv(UpstreamRejected("bad query"))))

    assert outcome == Fail("upstream_rejected_query", "bad query")
    assert (await sql(JOB))[0].status == "failed"


async def test_a_page_that_killed_its_workers_is_quarantined_without_being_asked_for(
    database, job_id, sql
):
    await sql("UPDATE jobs SET harvest_starts = :n", n=MAX_CRASHES)
    arxiv = Arxiv()

    outcome = await run(harvest(database, job_id, arxiv))

    assert outcome.code == "quarantined"
    assert arxiv.asked == 0
    assert (await sql(JOB))[0].status == "failed"
    assert await sql("SELECT code FROM job_errors") == [("quarantined",)]


async def test_a_crash_in_the_middle_is_seen_by_the_next_start(database, job_id, sql):
    await harvest(database, job_id).begin()

    attempt = await harvest(database, job_id).begin()

    assert attempt.crashes == 1
    assert await sql("SELECT resumed FROM jobs") == [(1,)]


async def test_a_stale_workers_page_changes_nothing(database, job_id, sql):
    stale = harvest(database, job_id)
    attempt = await stale.begin()
    await run(harvest(database, job_id))
    before = [await sql(f"SELECT * FROM {t}") for t in ("jobs", "papers", "job_papers")]
    queued = await sql("SELECT dedupe_key FROM pgqueuer ORDER BY 1")

    await stale.run(attempt)
    await stale.conclude(attempt, Succeed(), None)

    assert [await sql(f"SELECT * FROM {t}") for t in ("jobs", "papers", "job_papers")] == before
    assert await sql("SELECT dedupe_key FROM pgqueuer ORDER BY 1") == queued


async def test_a_stale_workers_failure_does_not_fail_the_job(database, job_id, sql):
    """It was stopped for longer than its lease; another has stored the page since."""
    stale = harvest(database, job_id)
    attempt = await stale.begin()
    await run(harvest(database, job_id))
    error = UpstreamFaulty("the connection was lost while it was stopped")

    await stale.conclude(attempt, Fail("upstream_faulty", "gave up"), error)

    assert await sql(JOB) == [("running", 5, 1, 0, 0)]
    assert await sql("SELECT * FROM job_errors") == []


async def test_a_stale_workers_retry_does_not_count_against_the_next_page(database, job_id, sql):
    stale = harvest(database, job_id)
    attempt = await stale.begin()
    await run(harvest(database, job_id))

    await stale.conclude(attempt, Retry(timedelta(0)), UpstreamFaulty("late"))

    assert await sql(JOB) == [("running", 5, 1, 0, 0)]


async def test_two_workers_on_one_page_store_it_once(database, job_id, sql):
    await asyncio.gather(*(run(harvest(database, job_id)) for _ in range(4)))

    ((fetched,),) = await sql("SELECT papers_fetched FROM jobs")
    assert fetched == (await sql("SELECT count(*) FROM job_papers"))[0][0]
    assert fetched in (5, 10)


async def test_a_job_whose_request_cannot_be_read_fails_instead_of_coming_back_for_ever(
    database, job_id, sql
):
    """Written by hand, or by a version with another form of it."""
    await sql("""UPDATE jobs SET request = '{"search_query": "?"}'""")

    outcomes = [type(await run(harvest(database, job_id))) for _ in range(5)]

    assert outcomes[-1] in (Fail, Succeed)
    assert (await sql(JOB))[0].status == "failed"


async def test_work_for_a_cancelled_job_is_not_begun(database, job_id, sql):
    await sql("SELECT cancel_job(:job)", job=job_id)
    arxiv = Arxiv()

    assert await run(harvest(database, job_id, arxiv)) == Succeed()
    assert arxiv.asked == 0


async def test_a_page_that_comes_after_the_cancellation_is_not_stored(database, job_id, sql):
    arxiv = Arxiv()

    async def cancel():
        await sql("SELECT cancel_job(:job)", job=job_id)

    arxiv.seen = cancel

    await run(harvest(database, job_id, arxiv))

    assert await sql("SELECT * FROM papers") == []
    assert await sql("SELECT * FROM pgqueuer") == []
    assert (await sql(JOB))[0].papers_fetched == 0


async def test_a_failed_try_that_is_recorded_twice_counts_once(database, job_id, sql):
    """Its answer was lost on the way, so it is written again."""
    work = harvest(database, job_id)
    attempt = await work.begin()

    for _ in range(2):
        await work.conclude(attempt, Retry(timedelta(0)), UpstreamFaulty("cut short"))

    assert await sql(JOB) == [("running", 0, 0, 0, 1)]


async def test_a_page_that_was_stored_gives_the_next_one_all_its_tries(database, job_id, sql):
    failing = Arxiv(UpstreamFaulty("cut short"))
    for _ in range(2):
        await run(harvest(database, job_id, failing))
    before = await sql(JOB)

    await run(harvest(database, job_id))

    assert before == [("running", 0, 0, 0, 2)]
    assert await sql(JOB) == [("running", 5, 1, 0, 0)]


@pytest.mark.parametrize("versions", [(1, 2), (2, 1)])
async def test_of_two_versions_in_one_batch_the_newer_is_stored(database, job_id, sql, versions):
    arxiv = Arxiv()
    papers = [make_paper(f"2301.00001v{n}", title=f"version {n}") for n in versions]
    arxiv.papers = lambda _: papers

    await run(harvest(database, job_id, arxiv))

    assert await sql("SELECT version, title FROM papers") == [(2, "version 2")]
    assert await sql("SELECT version FROM job_papers") == [(2,)]


async def test_the_further_a_job_is_the_later_it_gets_its_slot(database, job_id):
    """So that jobs take turns: the first page of any comes before the second of another."""
    arxiv = Arxiv()

    for _ in range(2):
        await run(harvest(database, job_id, arxiv))

    first, second = arxiv.ranks
    assert first - second == 5  # papers of the first page
