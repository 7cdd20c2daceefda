"""Group I of the fault list, as far as arXiv is in it: incomplete and broken answers, outages."""

import aiohttp
import pytest

from service.arxiv.limits import Waits
from service.db.rate_limits import RateLimitStore
from service.domain.channels import Availability, Channel, WaitReason
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, JobStatus, Priority
from service.jobs.retry import retry
from service.process.build_worker import Timing
from tests.jobs.conftest import QUICK

FOREVER = 100_000  # requests
PAGES = Criteria(category="cs.AI", page_size=5)
BROKEN = "cs.LG"


def empties(count):
    """The second page is empty so many times, though more is promised."""
    return [
        {"kind": "ok", "lane": "api"},
        {"kind": "empty", "lane": "api", "times": count},
    ]


async def channel(rig, name=Channel.API):
    async with rig.database.transaction() as conn:
        (found,) = (one for one in await RateLimitStore(conn).channels() if one.channel is name)
    return found


async def clear_script(rig):
    async with aiohttp.ClientSession() as client:
        await client.delete(f"{rig.replica.url}/_replica/script")


@pytest.mark.parametrize("times", [3, 5])
async def test_case_102_a_page_that_is_empty_for_a_while_is_not_left_out(rig, times):
    job = await rig.ingested(*empties(times), process_pdfs=False)

    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    assert len(rig.replica.log.since(lane="api")) == 2 + times


async def test_case_102_a_page_that_stays_empty_fails_the_job_which_a_retry_goes_on_with(rig):
    job = await rig.ingested(*empties(FOREVER), process_pdfs=False)
    asked = len(rig.replica.log.since(lane="api"))
    await clear_script(rig)

    again = (await retry(rig.database, job.id, caller="tests")).job
    async with rig.worker():
        again = await rig.final(again.id)

    ((code, text),) = [(error.code, error.message) for error in job.errors]
    assert (job.status, code, asked) == (JobStatus.FAILED, "upstream_incomplete", 7)
    assert "5" in text
    assert (again.status, again.papers_fetched, again.errors_total) == (JobStatus.COMPLETED, 5, 0)
    assert len(await rig.rows("SELECT 1 FROM papers")) == 10


async def ingested_from(rig, upstream, **request):
    """The job that a scripted upstream feeds."""
    async with rig.worker(ARXIV_API_URL=f"{upstream.origin}/api/query"):
        return await rig.final(await rig.submit(**{"process_pdfs": False, **request}))


async def test_case_102_too_few_papers_of_an_unchanged_list_fail_the_job(rig, upstream, http):
    """Two pages have a paper in common, so that another one never came."""
    entries = [http.entry(f"2401.0000{n}v1") for n in range(4)]
    first, second = (http.feed(*entries[:2], total=4), http.feed(*entries[1:3], total=4))
    third = http.feed(*entries[2:], total=4)
    upstream.script(*map(http.answer, (first, second, first, third)))
    criteria = Criteria(category="cs.AI", page_size=2)

    job = await ingested_from(rig, upstream, criteria=criteria)
    again = (await retry(rig.database, job.id, caller="tests")).job
    async with rig.worker(ARXIV_API_URL=f"{upstream.origin}/api/query"):
        again = await rig.final(again.id)

    ((code, text),) = [(error.code, error.message) for error in job.errors]
    assert (job.status, code, job.papers_fetched) == (JobStatus.FAILED, "upstream_incomplete", 3)
    assert "1" in text
    assert again.status is JobStatus.COMPLETED
    assert len(await rig.rows("SELECT 1 FROM papers")) == 4


async def test_case_102_a_list_that_changed_meanwhile_completes_and_tells_what_is_missing(
    rig, upstream, http
):
    entries = [http.entry(f"2401.0000{n}v1") for n in range(5)]
    upstream.script(
        http.answer(http.feed(*entries[:2], total=4)),
        http.answer(http.feed(*entries[1:4], total=5)),
    )

    job = await ingested_from(rig, upstream, criteria=Criteria(category="cs.AI", page_size=3))

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 4)
    assert [error.code for error in job.errors] == ["upstream_incomplete"]


async def test_case_102_entries_that_cannot_be_read_are_told_and_not_missing(rig, upstream, http):
    entries = [http.entry("2401.00001v1"), http.entry("2401.00002v1", title="")]
    upstream.script(http.answer(http.feed(*entries, total=2)))

    job = await ingested_from(rig, upstream)

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 1)
    assert [error.code for error in job.errors] == ["bad_entry"]


CUT = {"kind": "truncate", "lane": "pdf"}
HALF = {"kind": "body", "lane": "pdf", "content_type": "application/pdf", "body": "%PDF-1.7 ..."}


@pytest.mark.parametrize("half", [CUT, HALF], ids=["announced", "not announced"])
@pytest.mark.parametrize("times", [2, 3])
async def test_case_104_half_a_pdf_is_asked_for_three_times_in_all(rig, half, times):
    job = await rig.ingested({**half, "times": times}, max_papers=1)

    assert len(rig.replica.log.since(lane="pdf")) == 3
    assert job.status is JobStatus.COMPLETED
    assert (job.pdfs_processed, job.pdfs_failed) == ((1, 0) if times == 2 else (0, 1))
    assert [(error.code, error.attempt) for error in job.errors] == [("corrupt", 3)][: times - 2]


async def test_case_110_jobs_whose_answers_are_broken_hold_up_nobody(rig):
    """A place is held only while arXiv is asked, and a page that is asked again comes last."""
    rig.replica.script([{"kind": "html", "lane": "api", "match": BROKEN, "times": FOREVER}])
    criteria = Criteria(category=BROKEN, page_size=5)
    for _ in range(8):
        await rig.submit(criteria=criteria, process_pdfs=False)
    before, healthy = [], []
    async with rig.worker(ARXIV_MIN_INTERVAL_SECONDS="0.3"):
        await rig.replica.log.wait_for(lambda log: len(log.since(lane="api")) >= 8, timeout=60)
        for priority in (Priority.HIGH, Priority.NORMAL):
            before.append(len(rig.replica.log.since(lane="api")))
            job_id = await rig.submit(process_pdfs=False, max_papers=5, priority=priority)
            await rig.until(job_id, lambda job: job.pages_fetched > 0)
            healthy.append(job_id)
        done = [await rig.final(job_id) for job_id in healthy]

    asked = [record.path for record in rig.replica.log.since(lane="api")]
    good = [number for number, path in enumerate(asked) if BROKEN not in path]
    assert {job.status for job in done} == {JobStatus.COMPLETED}
    # one that is in flight, one that had its slot, and the plain request of neither
    assert all(at - submitted <= 2 for at, submitted in zip(good, before, strict=True))


async def test_case_111_entries_beyond_those_asked_for_are_not_stored(rig, upstream, http):
    entries = [http.entry(f"2401.{n:05}v1") for n in range(27)]
    upstream.script(http.answer(http.feed(*entries, total=300)))

    job = await ingested_from(rig, upstream, max_papers=20, criteria=Criteria(category="cs.AI"))

    assert (job.status, job.papers_fetched, job.errors_total) == (JobStatus.COMPLETED, 20, 0)
    assert len(await rig.rows("SELECT 1 FROM papers")) == 20


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["X", "Xv99"], [("unknown_version", "Xv99")]),
        (["X", "Xv1", "Xv99"], [("unknown_version", "Xv99")]),
        (["Xv99"], [("unknown_paper", "Xv99")]),
    ],
)
async def test_case_117_each_id_is_ingested_in_its_version_or_is_an_error(rig, asked, told):
    """The stand-in brings nothing for a version that it does not have, as arXiv does."""
    paper = rig.replica.corpus.id_of(0).paper

    job = await rig.ingested(
        criteria=Criteria(ids=tuple(ArxivId.parse(one.replace("X", paper)) for one in asked)),
        process_pdfs=False,
    )

    assert job.status is JobStatus.COMPLETED
    assert [(e.code, e.arxiv_id) for e in job.errors] == [
        (code, arxiv_id.replace("X", paper)) for code, arxiv_id in told
    ]


async def test_case_117_a_version_that_is_not_there_of_a_paper_that_is_held(rig):
    paper = rig.replica.corpus.id_of(0).paper
    await rig.ingested(criteria=Criteria(ids=(ArxivId(paper),)), process_pdfs=False)

    job = await rig.ingested(criteria=Criteria(ids=(ArxivId(paper, 99),)), process_pdfs=False)

    assert [(e.code, e.arxiv_id) for e in job.errors] == [("unknown_version", f"{paper}v99")]


@pytest.mark.parametrize("lane", ["api", "pdf"])
async def test_case_118_a_job_alone_waits_for_arxiv_and_says_so(rig, lane):
    rig.replica.script([{"kind": "reset", "lane": lane, "times": FOREVER}])
    async with rig.worker():
        job_id = await rig.submit(max_papers=1)
        waiting = await rig.until(job_id, lambda job: job.waiting_for is not None)
        state = await channel(rig, Channel(lane))
        await rig.replica.log.wait_for(lambda log: len(log.since(lane=lane)) >= 8, timeout=60)
        lasting = await rig.job(job_id)
        await clear_script(rig)
        job = await rig.final(job_id)

    assert waiting.waiting_for is WaitReason.ARXIV_UNAVAILABLE
    assert (state.state, bool(state.reason)) == (Availability.UNAVAILABLE, True)
    assert lasting.waiting_since == waiting.waiting_since
    assert (job.status, job.errors_total, job.waiting_for) == (JobStatus.COMPLETED, 0, None)
    assert await rig.rows("SELECT 1 FROM jobs WHERE harvest_attempts > 0") == []


async def test_case_118_the_outage_is_seen_from_the_first_refused_connection_on(rig):
    slow = Timing(limits=QUICK.limits, waits=Waits(), repeats=QUICK.repeats)
    rig.replica.script([{"kind": "reset", "lane": "api", "times": FOREVER}])
    async with rig.worker(slow):
        job_id = await rig.submit(max_papers=1)
        await rig.until(job_id, lambda job: job.waiting_for is not None)

        assert len(rig.replica.log.since(lane="api")) == 1
        assert (await channel(rig)).state is Availability.UNAVAILABLE


async def test_a_pause_is_what_a_running_job_waits_for_and_it_goes_on_after_it(rig):
    async with rig.worker():
        await rig.rows("SELECT pause_arxiv()")
        job_id = await rig.submit(max_papers=1)
        waiting = await rig.until(job_id, lambda job: job.waiting_for is not None)
        asked = len(rig.replica.log.since())
        await rig.rows("SELECT resume_arxiv()")
        job = await rig.final(job_id)

    assert (waiting.waiting_for, asked) == (WaitReason.ARXIV_PAUSED, 0)
    assert (job.status, job.waiting_for) == (JobStatus.COMPLETED, None)


async def test_a_cooldown_is_what_a_running_job_waits_for(rig):
    rig.replica.script([{"kind": "429", "lane": "api", "number": 1, "retry_after": "1"}])
    async with rig.worker():
        job_id = await rig.submit(process_pdfs=False)
        waiting = await rig.until(job_id, lambda job: job.waiting_for is not None)
        job = await rig.final(job_id)

    assert waiting.waiting_for is WaitReason.ARXIV_COOLDOWN
    assert (job.status, job.errors_total, job.waiting_for) == (JobStatus.COMPLETED, 0, None)
