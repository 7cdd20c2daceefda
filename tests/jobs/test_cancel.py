"""Cancelling: work stops, nothing is counted any more."""

from service.db.jobs import JobStore
from service.domain.jobs import JobStatus


async def test_cancelling_a_running_job_stops_its_work_within_seconds(rig):
    rig.replica.script([{"kind": "hold", "seconds": 60, "lane": "pdf", "times": 99}])
    job_id = await rig.submit()

    async with rig.worker(PDF_CONCURRENCY="2"):
        await rig.replica.wait_until_held(2, timeout=90)
        async with rig.database.transaction() as conn:
            assert await JobStore(conn).cancel(job_id) == "cancelled"
        before = await rig.job(job_id)
        await rig.replica.log.wait_for(
            lambda log: len([r for r in log.since(lane="pdf") if not r.complete]) >= 2, timeout=30
        )
    after = await rig.job(job_id)

    assert after.status is JobStatus.CANCELLED
    assert after.completed_at is not None
    assert (after.papers_fetched, after.pdfs_processed) == (
        before.papers_fetched,
        before.pdfs_processed,
    )
    assert await rig.rows("SELECT 1 FROM pgqueuer") == []
    await rig.assert_sound()


async def test_a_pending_job_that_is_cancelled_never_starts(rig):
    job_id = await rig.submit()
    async with rig.database.transaction() as conn:
        await JobStore(conn).cancel(job_id)
    other = await rig.submit(process_pdfs=False)

    async with rig.worker():
        await rig.final(other)

    job = await rig.job(job_id)
    assert job.status is JobStatus.CANCELLED
    assert job.started_at is None
    assert job.papers_fetched == 0
