"""A query too long for a URL still reaches arXiv, in the body of a POST."""

from service.domain.job import Criteria, JobStatus


async def test_the_longest_query_that_is_allowed_is_asked_whole(rig):
    query = " OR ".join(f'"{mark * 30}"' for mark in "äöüßéèêàáâçñøåæõìíîïòóôùúûýÿ")[:990]
    criteria = Criteria(query=query.rsplit(" OR ", 1)[0], title="字" * 200, author="字" * 200)

    async with rig.worker():
        job = await rig.final(await rig.submit(criteria=criteria, process_pdfs=False))

    requests = rig.replica.log.since(lane="api")
    assert {record.method for record in requests} == {"POST"}
    assert max(len(record.path) for record in requests) < 8000
    assert job.status is JobStatus.COMPLETED
