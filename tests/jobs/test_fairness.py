"""Whose papers come first, over two replicas: urgent ones, and else jobs take turns."""

from contextlib import AsyncExitStack

from service.domain.jobs import Criteria, Priority

LARGE = 30
TAKEN = 8  # two replicas hold two tasks each, and may have taken as many again


async def order_of(rig, *others):
    """Place of each paper among the PDF requests, when `others` come while a large job is on.

    `others` are numbers of papers and what else their job is to be.
    """
    number = rig.replica.corpus.id_of
    rig.replica.script([{"kind": "hold", "lane": "pdf", "times": TAKEN, "seconds": 60}])
    large = Criteria(ids=tuple(number(n) for n in range(LARGE)), page_size=LARGE)
    jobs = [await rig.submit(criteria=large, max_papers=LARGE)]
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(rig.worker(PDF_CONCURRENCY="2"))
        await rig.replica.wait_until_held(4, timeout=90)
        for papers, request in others:
            ids = Criteria(ids=tuple(number(n) for n in papers))
            jobs.append(await rig.submit(criteria=ids, max_papers=len(papers), **request))
            await rig.until(jobs[-1], lambda job: job.pdfs_pending == job.papers_fetched > 0)
        rig.replica._plan.clear()
        rig.replica.release()
        for job_id in jobs:
            await rig.final(job_id)
    asked = [r.path.removeprefix("/pdf/") for r in rig.replica.log.since(lane="pdf")]
    return [_place(asked, number(n)) for papers, _ in others for n in papers]


def _place(asked, arxiv_id):
    return next(n for n, path in enumerate(asked) if path.startswith(f"{arxiv_id}v"))


async def test_one_paper_does_not_wait_for_a_large_job(rig):
    (place,) = await order_of(rig, ([LARGE], {}))

    assert place < TAKEN


async def test_urgent_papers_all_come_before_the_rest_of_a_large_job(rig):
    papers = range(LARGE, LARGE + 6)

    places = await order_of(rig, (papers, {"priority": Priority.HIGH}))

    assert max(places) < TAKEN + len(papers)


async def test_what_is_not_urgent_comes_last(rig):
    places = await order_of(rig, ([LARGE], {"priority": Priority.LOW}))

    assert min(places) >= LARGE - TAKEN
