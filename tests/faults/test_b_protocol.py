"""How requests are answered: paths, methods, repetition with a key, errors, ETags."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
import yarl
from aiohttp import ClientSession

from tests.api.conftest import bearer, is_problem, token
from tests.api.test_status import EXAMPLE, JOB, URL, example
from tests.api.test_submit import BODY, posted

__all__ = ["example"]

SUBMIT = "/api/v1/ingestion/arxiv"
SECRET = "a secret of the test suite, long enough"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
COUNTS = "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM pgqueuer)"
NO_JOBS = [
    "abc",
    "'",
    "9223372036854775808",
    "1" + "0" * 30,
    "%00",
    "..%2f..",
    "..%2f..%2fetc%2fpasswd",
    "a" * 4096,
    f"%7B{JOB}%7D",
    f"urn:uuid:{JOB}",
    JOB.replace("-", ""),
    f"{JOB}%20",
    f"{JOB}%0A",
    "%EF%BC%91" + JOB[1:],
    "00000000-0000-7000-8000-000000000000",
]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("text", NO_JOBS, ids=lambda text: text[:20])
async def test_case_27_what_is_no_job_is_not_found(api, example, text, method):
    url = yarl.URL(str(api.make_url("/")) + f"api/v1/ingestion/job/{text}", encoded=True)

    response = await api.session.request(method, url)
    problem = await response.json(content_type="application/problem+json")

    assert response.status == 404
    assert problem["detail"] == "Job not found"


async def test_case_27_upper_case_names_the_same_job(api, example):
    response = await api.get(URL.replace(JOB, JOB.upper()))

    assert await response.read() == EXAMPLE


async def test_case_28_another_method_is_not_allowed_on_any_route(serve):
    anybody = await serve(sub=None)
    known: dict[str, set[str]] = {}
    for route in anybody.app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical.replace("{job_id}", JOB).replace("{arxiv_id}", "2301.00001")
        known.setdefault(path, set()).add(route.method)

    for path, own in known.items():
        for method in set(METHODS) - own:
            response = await anybody.request(method, path)
            body = await response.read()

            assert response.status == 405, (method, path)
            assert set(response.headers["Allow"].split(",")) == own
            assert method == "HEAD" or is_problem(response, json.loads(body))
    assert len(known) > 5


@pytest.mark.parametrize("path", ["/api", "/api/v1/ingestion", "/favicon.ico", JOB + "/x"])
async def test_case_28_an_unknown_path_is_a_problem(api, path):
    for method in METHODS:
        response = await api.request(method, path)
        body = await response.read()

        assert response.status == 404
        assert method == "HEAD" or is_problem(response, json.loads(body))


async def test_case_28_head_is_get_without_the_body(api, example):
    for path in (URL, "/healthz", "/api/v1/ingestion/jobs"):
        got = await api.get(path)
        headed = await api.head(path)

        assert headed.status == got.status == 200
        assert headed.headers.get("ETag") == got.headers.get("ETag")
        assert headed.headers["Content-Length"] == got.headers["Content-Length"]
        assert await headed.read() == b""


async def test_case_29_twenty_at_once_with_one_key_make_one_job(serve, sql):
    replicas = [await serve() for _ in range(3)]

    answers = await asyncio.gather(
        *(posted(replicas[n % 3], **{"Idempotency-Key": "key"}) for n in range(20))
    )

    assert {response.status for response, _ in answers} == {202}
    assert len({document["job_id"] for _, document in answers}) == 1
    assert await sql(COUNTS) == [(1, 1)]


async def test_case_29_the_same_key_with_another_body_is_refused(api, sql):
    await posted(api, **{"Idempotency-Key": "key"})

    response, problem = await posted(api, {**BODY, "max_papers": 21}, **{"Idempotency-Key": "key"})

    assert (response.status, problem["status"]) == (422, 422)
    assert await sql(COUNTS) == [(1, 1)]


async def test_case_29_keys_of_two_callers_are_independent(api, serve, sql):
    bob = await serve(sub="bob")

    _, first = await posted(api, **{"Idempotency-Key": "key"})
    _, second = await posted(bob, {**BODY, "max_papers": 1}, **{"Idempotency-Key": "key"})

    assert first["job_id"] != second["job_id"]
    assert await sql(COUNTS) == [(2, 2)]


@pytest.mark.parametrize("key", ["a" * 256, "a" * 300, "a\tb", "", " ", "schlüssel", "é"])
async def test_case_29_a_bad_key_is_refused(api, sql, key):
    response, problem = await posted(api, **{"Idempotency-Key": key})

    assert (response.status, problem["status"]) == (400, 400)
    assert "Idempotency-Key" in problem["detail"]
    assert await sql("SELECT * FROM jobs") == []


async def test_case_29_three_processes_and_a_restart_of_all_know_one_job(rig, tools, sql):
    """Real processes on one database, each killed before the second round."""

    async def round_of(count: int) -> Counter[tuple[int, str]]:
        ports = [tools.free_port() for _ in range(3)]
        with ExitStack() as stack:
            for port in ports:
                environ = rig.environment(PORT=str(port), JWT_SECRET=SECRET)
                silent = {"stdout": None, "stderr": None}
                process = stack.enter_context(
                    tools.started("serve", "--no-worker", environ=environ, **silent)
                )
                stack.callback(process.kill)
            for port in ports:
                await asyncio.to_thread(
                    tools.wait_for, lambda port=port: _answers(tools, port), seconds=60
                )
            return Counter(await asyncio.gather(*(_submit(ports[n % 3]) for n in range(count))))

    first = await round_of(20)
    again = await round_of(3)

    ((answer, times),) = first.items()
    assert (answer[0], times) == (202, 20)
    assert again == {answer: 3}
    assert await sql(COUNTS) == [(1, 1)]


def _answers(tools: Any, port: int) -> bool:
    try:
        return tools.fetch(f"http://127.0.0.1:{port}/readyz")[0] == 200
    except OSError:
        return False


async def _submit(port: int) -> tuple[int, str]:
    headers = {**bearer(token(key=SECRET)), "Idempotency-Key": "nightly"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"http://127.0.0.1:{port}{SUBMIT}", json=BODY) as response,
    ):
        return response.status, (await response.json(content_type=None))["job_id"]


async def test_case_30_no_error_names_what_we_are_made_of(serve, example):
    anybody, alice = await serve(sub=None), await serve()
    answers = [
        await anybody.get(URL),
        await alice.get("/nothing"),
        await alice.put(URL),
        await alice.get(URL + "x"),
        await alice.post(SUBMIT, data="x"),
        await alice.post(SUBMIT, data="x", headers={"Content-Type": "application/json"}),
        await alice.post(SUBMIT, json={}),
        await alice.delete(URL, headers={"Authorization": "Bearer a.b.c"}),
    ]

    assert [response.status for response in answers] == [401, 404, 405, 404, 415, 400, 422, 401]
    for response in answers:
        assert is_problem(response, await response.json(content_type=None))
        assert response.headers["Server"] == "arxiv-ingestion"


async def test_case_31_an_etag_holds_while_nothing_changes(api, sql, example):
    first = await api.get(URL)
    seen = {"If-None-Match": first.headers["ETag"]}

    same = await api.get(URL, headers=seen)
    await sql("UPDATE jobs SET papers_fetched = papers_fetched + 1")
    changed = await api.get(URL, headers=seen)

    assert (same.status, await same.read()) == (304, b"")
    assert changed.status == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    for response in (first, same, changed):
        assert response.headers["Cache-Control"] in ("no-store", "no-cache")
