"""A source of ten lines: what a new one needs is nothing but itself."""

import random

from service.db.jobs import JobStore
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import JobStatus
from service.domain.outcomes import Succeed
from service.domain.papers import EntryError
from service.jobs.harvest import HarvestStep
from service.jobs.submit import submit
from service.sources.base import Batch, Step
from service.sources.registry import Sources
from service.worker.runner import run_work
from tests.conftest import make_paper, make_request


class Scratch:
    """Papers 1 to 6, three at a time; the fourth of them cannot be read."""

    name = "scratch"

    def serves(self, request):
        return request.source == "scratch"

    def first(self, _):
        return Checkpoint(source="scratch", state={"at": 1})

    async def fetch(self, _, checkpoint):
        at = checkpoint.state["at"]
        papers = tuple(make_paper(f"2301.{n:05}v1") for n in range(at, at + 3) if n != 4)
        batch = Batch(records=papers, errors=[EntryError("no title")] * (at == 4))
        following = Checkpoint(source="scratch", state={"at": at + 3}, done=at == 4)
        return Step(batch=batch, following=following, total=5)


class Patient(Scratch):
    """The same, without a wait for anybody."""

    async def fetch(self, context, checkpoint):
        step = await super().fetch(context, checkpoint)
        document = {**step.following.dump(), "needs_arxiv": False}
        return Step(batch=step.batch, following=Checkpoint.load(document), total=5)


async def ingested(database, source, *, runs):
    request = make_request(source="scratch", process_pdfs=False, batch_size=2)
    job_id = (await submit(database, request, caller="alice")).job.id
    for number in range(runs):
        work = HarvestStep(job_id, {"task": number}, database, Sources([source]))
        assert await run_work(work, jitter=random.random) == Succeed()
    async with database.transaction() as conn:
        return await JobStore(conn).get(job_id)


async def test_a_source_of_ten_lines_feeds_a_job(database):
    job = await ingested(database, Scratch(), runs=2)

    assert job.status is JobStatus.COMPLETED
    assert (job.papers_fetched, job.papers_total, job.pages_fetched) == (5, 5, 2)
    assert [error.code for error in job.errors] == ["bad_entry"]


async def test_each_step_of_one_that_waits_is_a_task_of_its_own(database, sql):
    await ingested(database, Scratch(), runs=1)

    keys = await sql("SELECT dedupe_key FROM pgqueuer ORDER BY id")
    assert [key.rpartition(":")[2] for (key,) in keys] == ["0", "1"]


async def test_steps_that_wait_for_nobody_are_made_in_one_task(database, sql):
    job = await ingested(database, Patient(), runs=1)

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 5
    assert len(await sql("SELECT 1 FROM pgqueuer")) == 1  # that of the submission


async def test_a_request_that_no_source_serves_fails_its_job(database):
    request = make_request(source="elsewhere")
    job_id = (await submit(database, request, caller="alice")).job.id

    await run_work(HarvestStep(job_id, {}, database, Sources([Scratch()])), jitter=random.random)

    async with database.transaction() as conn:
        job = await JobStore(conn).get(job_id)
    assert [error.code for error in job.errors] == ["unreadable_request"]
