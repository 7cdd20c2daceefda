"""The client against the real application: each of its calls, once as it is meant."""

import asyncio
import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
from arxiv_ingestion_client import IngestionClient, ProblemError

from service.api.job_watch import JOB_WATCH
from tests.api.conftest import GOOD_BODY, token
from tests.api.test_paper_files import CONTENT
from tests.api.waiters import begun

SOON = timedelta(seconds=60)
END = "UPDATE jobs SET status = 'completed', started_at = now(), completed_at = now()"


async def test_a_job_from_its_submission_to_its_retry(client, sql):
    submitted = await client.submit(GOOD_BODY, idempotency_key="once")
    again = await client.submit(GOOD_BODY, idempotency_key="once")
    active = await client.jobs()
    told = await client.cancel(submitted.job_id)
    with pytest.raises(ProblemError) as refused:
        await client.cancel(submitted.job_id)
    listed = [one.job_id async for one in client.iterate_jobs(["cancelled"])]
    new = await client.retry(submitted.job_id)
    stats = await client.stats()

    assert submitted.job_id == again.job_id
    assert [one.job_id for one in active] == [submitted.job_id]
    assert told == f"Job {submitted.job_id} cancelled successfully"
    assert (refused.value.status, refused.value.detail) == (
        409,
        "The job is already cancelled",
    )
    assert listed == [submitted.job_id]
    assert new.document["retry_of"] == submitted.job_id
    assert stats["jobs"]["pending"] == 1


async def test_waiting_and_streaming_end_with_the_job(api, client, sql):
    job = await client.submit(GOOD_BODY)
    shown = []
    waiting = asyncio.create_task(client.wait(job.job_id, timeout=SOON, on_progress=shown.append))
    streaming = asyncio.create_task(_all(client.stream(job.job_id, timeout=SOON)))
    await begun(api, 2)

    await sql(END)
    last, streamed = await waiting, await streaming

    assert last.status == streamed[-1].status == "completed"
    assert last.etag == streamed[-1].etag
    assert [one.status for one in shown] == ["pending", "completed"]


async def test_a_stream_survives_a_restart_of_the_service(api, client, sql, serve):
    job = await client.submit(GOOD_BODY)
    stream = client.stream(job.job_id, timeout=SOON)
    first = await anext(stream)

    for watch in tuple(api.app[JOB_WATCH]._watches()):  # as when the process is about to stop
        watch.end()
    await sql(END)
    rest = await _all(stream)

    assert first.status == "pending"
    assert [one.status for one in rest] == ["completed"]


async def test_papers_of_a_job_and_papers_held_come_page_by_page(client, sql):
    job = await client.submit(GOOD_BODY)
    await sql(
        "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
        " primary_category, published_at, updated_at) SELECT '2301.' || lpad(n::text, 5, '0'), 1,"
        " 'T', 'A', '{Ada}', '{cs.AI}', 'cs.AI', now() - n * interval '1 s', now()"
        " FROM generate_series(1, 450) AS n"
    )
    await sql(
        "INSERT INTO job_papers (job_id, arxiv_id, version, state)"
        " SELECT :job, arxiv_id, 1, 'failed' FROM papers",
        job=UUID(job.job_id),
    )
    await sql("UPDATE papers SET categories = '{hep-th}' WHERE arxiv_id < '2301.00051'")

    mine = await _all(client.job_papers(job.job_id, states=["failed"]))
    paged = await _all(client.papers(category="cs.AI"))
    exported = await _all(client.export(category="cs.AI"))
    one = await client.paper("2301.00450")

    assert [paper["arxiv_id"] for paper in mine] == [f"2301.{n:05}" for n in range(1, 451)]
    assert [paper["arxiv_id"] for paper in paged] == [f"2301.{n:05}" for n in range(51, 451)]
    assert exported == paged
    assert one == paged[-1]


async def test_a_search_comes_best_match_first(client, sql):
    await sql(
        "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
        " primary_category, published_at, updated_at) SELECT '2301.' || lpad(n::text, 5, '0'), 1,"
        " repeat('quark ', n % 2), 'A quark.', '{Ada}', '{cs.AI}', 'cs.AI', now(), now()"
        " FROM generate_series(1, 60) AS n"
    )

    found = await _all(client.search("quarks"))

    assert [paper["arxiv_id"][-2:] for paper in found[:2]] == ["59", "57"]
    assert len(found) == 60
    assert found[0]["rank"] > found[-1]["rank"] > 0
    assert found[0]["snippet"] == "A \ue000quark\ue001."


async def test_a_pdf_and_its_text(client, keep, tmp_path):
    await keep("hep-th/9901001v1")
    path = tmp_path / "paper.pdf"

    digest = await client.download_pdf("hep-th/9901001", path)
    text = await client.text("hep-th/9901001")
    with pytest.raises(ProblemError, match="Paper not found"):
        await client.download_pdf("2301.00009", tmp_path / "none.pdf")

    assert path.read_bytes() == CONTENT
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert text == "Text, ∀."
    assert list(tmp_path.glob("*.p*")) == [path]


async def test_a_schedule_from_its_making_to_its_end(client):
    made = await client.add_schedule("nightly", "0 3 * * *", GOOD_BODY, paused=True)
    changed = await client.change_schedule(made["schedule_id"], paused=False)
    shown = await client.schedule(made["schedule_id"])
    listed = await client.schedules()
    with pytest.raises(ProblemError) as refused:
        await client.add_schedule("nightly", "0 4 * * *", GOOD_BODY)
    with pytest.raises(ProblemError) as wrong:
        await client.add_schedule("other", "never", {"search_query": {}, "max_papers": "1"})
    removed = await client.remove_schedule(made["schedule_id"])

    assert (made["paused"], changed["paused"]) == (True, False)
    assert listed == [shown]
    assert refused.value.status == 409
    assert {"cron", "request.max_papers"} <= wrong.value.errors.keys()
    assert made["schedule_id"] in removed
    assert await client.schedules() == []


async def test_an_expired_token_is_replaced_by_the_next_one(api, sql):
    tokens = iter([token(exp=1), token()])

    async def next_token():
        return next(tokens)

    async with IngestionClient(str(api.make_url("")), next_token) as client:
        with pytest.raises(ProblemError) as refused:
            await client.jobs()
        jobs = await client.jobs()

    assert refused.value.status == 401
    assert jobs == []


async def _all(found):
    return [one async for one in found]


async def test_the_timeline_of_a_job_and_its_throughput(client, sql):
    job = await client.submit(GOOD_BODY)
    await sql("UPDATE jobs SET status = 'running', started_at = now()")
    await sql("UPDATE jobs SET pages_fetched = 1, papers_fetched = 7")
    await sql(END)

    events = await _all(client.job_timeline(job.job_id))
    series = await client.job_throughput(job.job_id)

    assert [one["event"] for one in events] == ["created", "started", "page", "finished"]
    assert sum(point["papers"] for point in series["points"]) == 7
