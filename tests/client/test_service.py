"""The client against the real application: each of its calls, once as it is meant."""

import asyncio
import hashlib
import json
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

HELD = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at)"
    " VALUES (:id, 1, 't', 'a', '{A}', '{cs.AI}', 'cs.AI', now(), now())"
)
DOCUMENT = {
    "title": "A title",
    "abstract": None,
    "sections": [
        {"id": "S1", "level": 1, "number": "1", "title": "One", "page": None, "paragraphs": []}
    ],
    "equations": [],
    "captions": [],
    "references": [{"key": "1", "raw": "A", "doi": None, "arxiv_id": "1706.03762"}],
}


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


async def test_a_document_as_json_as_markdown_and_its_references(client, sql):
    await sql(HELD, id="2301.00001")
    await sql(HELD, id="1706.03762")
    await sql(
        "INSERT INTO documents (arxiv_id, version, source, converter, input_sha256, quality,"
        " content) SELECT '2301.00001', 1, source, 'c', repeat('a', 64), '{}', CAST(:c AS json)"
        " FROM unnest(ARRAY['pdf', 'html']) AS source",
        c=json.dumps(DOCUMENT),
    )

    document = await client.document("2301.00001")
    section = await client.document("2301.00001", section="1")
    (reference,) = await client.references("2301.00001")

    assert (document["source"], document["title"]) == ("html", "A title")
    assert (section["title"], section["sections"][0]["title"]) == (None, "One")
    assert (await client.markdown("2301.00001")).startswith("# A title")
    assert reference["link"] == "/api/v1/papers/1706.03762"


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


async def test_papers_are_exported_to_a_file_that_is_whole(client, sql, tmp_path):
    await sql(
        "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
        " primary_category, published_at, updated_at) SELECT '2301.' || lpad(n::text, 5, '0'), 1,"
        " 'T', 'A', '{Ada}', '{cs.AI}', 'cs.AI', now() - n * interval '1 s', now()"
        " FROM generate_series(1, 150) AS n"
    )
    path = tmp_path / "papers.csv"

    size = await client.export_papers(path, "csv", category="cs.AI")
    entry = await client.bibtex("2301.00001")
    with pytest.raises(ProblemError):
        await client.export_papers(tmp_path / "none.csv", "csv", category="cs.ai")
    with pytest.raises(ValueError, match="bibtex, csv"):
        await client.export_papers(path, "docx")

    assert path.stat().st_size == size
    assert path.read_text().count("\n") == 151
    assert entry.startswith("@misc{arxiv:2301.00001,\n")
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["papers.csv"]


async def test_jobs_are_found_by_filters_and_ids_and_their_errors_counted(client, sql):
    first = await client.submit({**GOOD_BODY, "labels": {"team": "a"}}, idempotency_key="once")
    again = await client.submit({**GOOD_BODY, "labels": {"team": "a"}}, idempotency_key="once")
    second = await client.submit(GOOD_BODY)
    await sql(
        "INSERT INTO job_errors (job_id, stage, error, code) SELECT :job, 'store', 'bad', 'b'"
        " FROM generate_series(1, 3)",
        job=UUID(first.job_id),
    )

    labelled = await client.jobs(label=["team:a"])
    several = await client.jobs_by_id([first.job_id, second.job_id])
    every = [one.job_id async for one in client.iterate_jobs(["all"], sort="created_at")]
    errors = await _all(client.job_errors(first.job_id))
    groups = await client.job_error_groups(first.job_id)

    assert (first.is_replayed, again.is_replayed) == (False, True)
    assert [one.job_id for one in labelled] == [first.job_id]
    assert {one.job_id for one in several} == {first.job_id, second.job_id}
    assert every == [first.job_id, second.job_id]
    assert [one["error"] for one in errors] == ["bad"] * 3
    assert [(one["code"], one["count"]) for one in groups] == [("b", 3)]
