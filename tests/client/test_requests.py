"""One request: the token, what is repeated, what is believed of an answer."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arxiv_ingestion_client import IngestionClient, ProblemError, ServiceUnreachable, answers

from tests.client.conftest import answering, document, misbehaving, problem, reply

JOB = "/api/v1/ingestion/job/1"


async def test_a_job_is_read_with_the_token_and_unknown_keys_do_no_harm():
    sent = document("paused", new_key={"a": 1}, progress={"papers_fetched": 3, "novelties": []})
    async with answering(reply(sent)) as (client, seen):
        job = await client.job("1")

    assert seen[0].path == JOB
    assert seen[0].headers["Authorization"] == "Bearer t0ken"
    assert job.document == sent
    assert job.status == "paused"
    assert job.count("papers_fetched") == 3
    assert job.find("papers_total") is None


@pytest.mark.parametrize(
    "passing",
    [
        problem(503),
        problem(500, headers={"Retry-After": "0"}),
        problem(429, headers={"Retry-After": "0"}),
        None,
    ],
    ids=["503", "500 with Retry-After", "429 with Retry-After", "cut connection"],
)
async def test_a_read_is_repeated_when_that_may_help(passing):
    async with answering(passing, reply(document())) as (client, seen):
        await client.job("1")

    assert len(seen) == 2


@pytest.mark.parametrize("status", [500, 404, 401, 429])
async def test_a_problem_that_stays_is_raised_at_once(status):
    async with answering(problem(status)) as (client, seen):
        with pytest.raises(ProblemError) as caught:
            await client.job("1")

    assert caught.value.status == status
    assert (caught.value.title, caught.value.detail) == ("Title", "Not now")
    assert len(seen) == 1


async def test_a_dry_run_is_a_question_that_may_be_repeated():
    estimate = {"total": 7, "estimated_papers": 3, "requests": 1, "estimated_seconds": 3.1}
    async with answering(problem(503), reply(estimate)) as (client, seen):
        found = await client.dry_run({"search_query": {"category": "cs.AI"}})

    assert found == estimate
    assert [one.path_qs for one in seen] == ["/api/v1/ingestion/arxiv?dry_run=true"] * 2


async def test_a_submission_with_a_key_is_repeated_with_the_same_key():
    accepted = reply(document("pending"), status=202)
    async with answering(problem(503), None, accepted) as (client, seen):
        job = await client.submit({"search_query": {}}, idempotency_key="once")

    assert job.job_id == "1"
    assert [request.headers["Idempotency-Key"] for request in seen] == ["once"] * 3


async def test_a_submission_without_a_key_gets_one_of_its_own_and_so_can_be_repeated():
    accepted = reply(document("pending"), status=202)
    async with answering(None, accepted, accepted) as (client, seen):
        await client.submit({})
        await client.submit({})

    first, again, other = (request.headers["Idempotency-Key"] for request in seen)
    assert first == again != other


@pytest.mark.parametrize("answer", [problem(503), None], ids=["503", "cut connection"])
async def test_what_has_no_key_is_sent_once(answer):
    async with answering(answer) as (client, seen):
        with pytest.raises((ProblemError, ServiceUnreachable)):
            await client.add_schedule("nightly", "0 3 * * *", {})

    assert len(seen) == 1


async def test_what_never_left_is_sent_again(unused_tcp_port):
    server = TestServer(web.Application(), port=unused_tcp_port)

    async def added(request):
        return web.json_response({"schedule_id": "1"}, status=201)

    async def come_up(*_):
        if server.started:
            return
        server.app.router.add_post("/api/v1/schedules", added)
        await server.start_server()

    pending = []
    async with IngestionClient(
        f"http://127.0.0.1:{unused_tcp_port}",
        "t",
        on_trouble=lambda *_: pending.append(asyncio.ensure_future(come_up())),
    ) as client:
        made = await client.add_schedule("nightly", "0 3 * * *", {})
    await asyncio.gather(*pending)
    await server.close()

    assert made == {"schedule_id": "1"}


async def test_a_cancellation_whose_answer_was_lost_has_happened():
    answers = [None, problem(409, "The job is already cancelled"), reply(document("cancelled"))]
    async with answering(*answers) as (client, seen):
        told = await client.cancel("1")

    assert told == "Job 1 cancelled successfully"
    assert [request.method for request in seen] == ["DELETE", "DELETE", "GET"]


async def test_a_job_that_ended_otherwise_cannot_be_cancelled():
    async with answering(problem(409, "The job is completed")) as (client, seen):
        with pytest.raises(ProblemError, match="The job is completed"):
            await client.cancel("1")

    assert len(seen) == 1


async def test_each_request_asks_for_a_token():
    tokens = iter(["old", "new"])

    async def token():
        return next(tokens)

    seen = []

    async def handler(request):
        seen.append(request.headers["Authorization"])
        return web.json_response(document())

    app = web.Application()
    app.router.add_get(JOB, handler)
    async with TestServer(app) as server, IngestionClient(str(server.make_url("/")), token) as one:
        await one.job("1")
        await one.job("1")

    assert seen == ["Bearer old", "Bearer new"]


async def test_trouble_is_told_with_how_often():
    told = []
    async with answering(
        problem(503), None, reply(document()), on_trouble=lambda *what: told.append(what)
    ) as (client, _):
        await client.job("1")

    assert [(type(error), times) for error, times in told] == [
        (ProblemError, 1),
        (ServiceUnreachable, 2),
    ]


async def test_patience_ends():
    async with answering(*[problem(503)] * 50, patience=timedelta(seconds=0.5)) as (client, seen):
        with pytest.raises(ProblemError):
            async with asyncio.timeout(60):
                await client.job("1")

    assert 1 < len(seen) < 50


async def test_a_wish_for_a_longer_pause_than_our_patience_is_not_waited_for():
    answer = problem(503, headers={"Retry-After": "3600"})
    async with answering(answer) as (client, seen):
        with pytest.raises(ProblemError) as caught:
            async with asyncio.timeout(60):
                await client.job("1")

    assert caught.value.retry_after == 3600
    assert len(seen) == 1


async def test_wrong_fields_are_told_by_name():
    answer = problem(422, errors={"search_query.start": ["Too large."], "odd": "text"})
    async with answering(answer) as (client, _):
        with pytest.raises(ProblemError) as caught:
            await client.submit({})

    assert caught.value.errors == {"search_query.start": ["Too large."], "odd": ["text"]}


async def test_nobody_there_is_told_as_such(unused_tcp_port):
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with IngestionClient(url, "t", patience=timedelta(seconds=0.3)) as client:
        with pytest.raises(ServiceUnreachable, match=url):
            await client.jobs()


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", "null"])
async def test_an_answer_of_something_else_is_no_job(body):
    async with answering(partial(web.Response, text=body)) as (client, seen):
        with pytest.raises(ServiceUnreachable):
            await client.job("1")

    assert len(seen) == 1


async def test_the_token_is_not_carried_to_where_a_redirect_points():
    asked = []

    async def elsewhere(request):
        asked.append(request.headers)
        return web.json_response(document())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    async with TestServer(app) as other:
        headers = {"Location": str(other.make_url("/"))}
        moved = partial(web.Response, status=307, headers=headers)
        async with answering(moved, moved) as (client, seen):
            for ask in (client.job("1"), client.submit({})):
                with pytest.raises(ProblemError) as caught:
                    await ask

    assert caught.value.status == 307
    assert len(seen) == 2
    assert asked == []


async def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 1 << 20)

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    async with misbehaving(endless) as client:
        with pytest.raises(ServiceUnreachable):
            await client.job("1")


async def test_an_id_stays_one_part_of_the_path():
    async with answering(problem(404)) as (client, seen):
        with pytest.raises(ProblemError):
            await client.job("../jobs?x=1")

    assert seen[0].raw_path == "/api/v1/ingestion/job/..%2Fjobs%3Fx%3D1"


async def test_waiting_shows_changes_only_and_asks_for_changes_only():
    answers = [
        reply(document(), headers={"ETag": '"1"'}),
        partial(web.Response, status=304, headers={"ETag": '"1"'}),
        reply(document("completed"), headers={"ETag": '"2"'}),
    ]
    shown = []
    async with answering(*answers) as (client, seen):
        last = await client.wait(
            "1",
            timeout=timedelta(seconds=5),
            on_progress=shown.append,
        )

    assert [job.status for job in shown] == ["running", "completed"]
    assert last is shown[-1]
    assert [request.headers.get("If-None-Match") for request in seen] == [None, '"1"', '"1"']
    assert [request.headers.get("Prefer") for request in seen] == [None, "wait=30", "wait=30"]


async def test_waiting_ends_at_its_deadline():
    same = [reply(document()) for _ in range(200)]
    async with answering(*same) as (client, _):
        with pytest.raises(TimeoutError):
            await client.wait("1", timeout=timedelta(seconds=0.3))
