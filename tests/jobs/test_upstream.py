"""What becomes of a job when arXiv answers badly: what is no case of the fault list of its own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.arxiv import rate_limiter
from service.domain.jobs import Criteria, JobStatus
from tests.jobs.conftest import QUICK

IMPATIENT = replace(QUICK, limits=replace(QUICK.limits, sock_read=timedelta(seconds=2)))


async def test_an_empty_first_page_is_asked_again_before_it_is_believed(rig):
    once = await rig.ingested({"kind": "empty_zero", "number": 1}, process_pdfs=False)
    asked = len(rig.replica.log.since(lane="api"))

    assert once.status is JobStatus.COMPLETED
    assert once.papers_fetched == 10
    assert asked == 3


async def test_an_empty_page_in_the_middle_is_asked_again(rig):
    job = await rig.ingested({"kind": "empty", "number": 2}, process_pdfs=False)

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 10
    assert len(rig.replica.log.since(lane="api")) == 3


@pytest.mark.parametrize("kind", ["empty", "empty_zero"])
async def test_an_empty_answer_to_later_ids_is_asked_again_before_they_are_unknown(rig, kind):
    ids = [rig.replica.corpus.id_of(number) for number in range(6)]
    step = {"kind": kind, "lane": "api", "number": 2}

    job = await rig.ingested(
        step,
        criteria=Criteria(ids=tuple(ids), page_size=3),
        process_pdfs=False,
    )

    assert (job.papers_fetched, job.pdfs_unavailable, job.errors_total) == (6, 0, 0)
    assert len(rig.replica.log.since(lane="api")) == 3


@pytest.mark.parametrize("kind", ["reset", "truncate", "500", "html"])
async def test_a_passing_fault_of_a_pdf_is_survived(rig, kind):
    job = await rig.ingested({"kind": kind, "lane": "pdf", "number": 1}, max_papers=2)

    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_failed == 0
    assert job.pdfs_processed == 2 - job.pdfs_unavailable


async def test_a_download_that_stalled_goes_on_where_it_stopped(rig):
    step = {"kind": "stall_after_headers", "lane": "pdf", "number": 1, "after_bytes": 1000}

    job = await rig.ingested(step, max_papers=1, timing=IMPATIENT)

    assert job.pdfs_processed == 1
    statuses = [record.status for record in rig.replica.log.since(lane="pdf")]
    assert statuses == [200, 206]


async def test_as_many_pdfs_are_under_way_as_there_may_be(rig, monkeypatch):
    monkeypatch.setattr(rate_limiter, "PDF_LATEST", timedelta(minutes=1))  # a busy machine is late
    rig.replica.script([{"kind": "hold", "lane": "pdf", "times": 28, "seconds": 200}])
    ids = tuple(map(rig.replica.corpus.id_of, range(30)))
    job_id = await rig.submit(max_papers=30, criteria=Criteria(ids=ids, page_size=30))

    async with rig.worker(PDF_CONCURRENCY="28"):
        await rig.replica.wait_until_held(20, timeout=90)
        rig.replica.release()
        job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
