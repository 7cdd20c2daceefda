"""Submitting: one row and one task, at most once for each caller and key."""

from typing import Any
from uuid import UUID

import orjson

URL = "/api/v1/ingestion/arxiv"
BODY = {"search_query": {"category": "cs.AI"}, "max_papers": 20}


async def posted(api: Any, body: Any = BODY, **headers: str) -> tuple[Any, Any]:
    response = await api.post(URL, json=body, headers=headers)
    return response, orjson.loads(await response.read())


async def test_a_job_is_recorded_and_one_task_queued(api, sql):
    response, document = await posted(api)
    ((job_id, status, requested_by, priority),) = await sql(
        "SELECT id, status, requested_by, priority FROM jobs"
    )
    ((kind, headers, payload),) = await sql("SELECT entrypoint, headers, payload FROM pgqueuer")

    assert response.status == 202
    assert list(document) == [
        "job_id",
        "status",
        "message",
        "estimated_papers",
        "search_criteria",
    ]
    assert response.headers["Location"] == f"/api/v1/ingestion/job/{job_id}"
    assert (document["job_id"], document["status"]) == (str(job_id), "pending")
    assert document["estimated_papers"] == 20
    assert document["search_criteria"]["category"] == "cs.AI"
    assert (status, requested_by, priority) == ("pending", "alice", "normal")
    assert (kind, headers["job"]) == ("harvest", str(job_id))
    assert orjson.loads(payload) == {"v": 2, "page": {"task": 0}}


async def test_job_ids_are_of_version_seven(api):
    _, document = await posted(api)

    assert UUID(document["job_id"]).version == 7


async def test_the_location_leads_to_the_pending_job(api):
    response, document = await posted(api)
    found = await api.get(response.headers["Location"])
    shown = await found.json()

    assert shown["job_id"] == document["job_id"]
    assert (shown["status"], shown["started_at"], shown["stats"]) == ("pending", None, {})


async def test_every_field_of_a_request_is_kept(api, sql):
    body = {
        "search_query": {
            "query": "all:electron",
            "category": "hep-th",
            "author": "Ada",
            "title": "T",
            "abstract": "A",
            "from_date": "20230101",
            "to_date": "20230131",
            "max_results": 7,
            "start": 3,
            "sort_by": "relevance",
            "sort_order": "ascending",
        },
        "source": "search",
        "batch_size": 9,
        "max_papers": 11,
        "process_pdfs": False,
        "skip_duplicates": False,
        "priority": "high",
    }

    await posted(api, body)
    ((request,),) = await sql("SELECT request FROM jobs")

    assert request == body


async def test_two_thousand_ids_are_taken(api):
    ids = [f"2301.{number:05}" for number in range(2000)]

    response, document = await posted(api, {"search_query": {"ids": ids}})

    assert response.status == 202
    assert document["estimated_papers"] == 2000


async def test_the_same_key_means_the_same_job(api, sql):
    first, document = await posted(api, **{"Idempotency-Key": "k 1"})
    second, again = await posted(api, **{"Idempotency-Key": "k 1"})
    ((jobs, tasks),) = await sql(
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM pgqueuer)"
    )

    assert (first.status, second.status) == (202, 202)
    assert again == document
    assert second.headers["Location"] == first.headers["Location"]
    assert (jobs, tasks) == (1, 1)


async def test_a_body_written_in_another_way_is_the_same_request(api):
    _, first = await posted(api, **{"Idempotency-Key": "key"})
    spelled_out = {"max_papers": 20, "batch_size": 50, "search_query": {"category": "cs.AI"}}

    response, again = await posted(api, spelled_out, **{"Idempotency-Key": "key"})

    assert (response.status, again["job_id"]) == (202, first["job_id"])


async def test_the_key_of_a_final_job_still_names_it(api, sql):
    _, first = await posted(api, **{"Idempotency-Key": "key"})
    await sql("UPDATE jobs SET status = 'completed'")

    response, again = await posted(api, **{"Idempotency-Key": "key"})

    assert (response.status, again["job_id"]) == (202, first["job_id"])


async def test_two_keys_in_one_request_are_refused(api):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    response = await api.post(URL, json=BODY, headers=headers)

    assert response.status == 400


async def test_a_key_of_255_characters_is_taken(api):
    response, _ = await posted(api, **{"Idempotency-Key": "k" * 255})

    assert response.status == 202


async def test_jobs_of_high_priority_are_taken_first(api, sql):
    for priority in ("low", "high", "normal"):
        await posted(api, {**BODY, "priority": priority})

    ordered = await sql(
        "SELECT j.priority FROM pgqueuer q JOIN jobs j ON j.id::text = q.headers ->> 'job'"
        " ORDER BY q.priority DESC, q.id"
    )

    assert [priority for (priority,) in ordered] == ["high", "normal", "low"]
