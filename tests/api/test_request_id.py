"""X-Request-ID and traceparent: taken over or made, on every response and in every log line."""

import pytest
import structlog

from tests.api.conftest import JOB, PREFIX
from tests.api.test_http import raw

URL = f"{PREFIX}/job/{JOB}"
TRACE = "0af7651916cd43dd8448eb211c80319c"
IDS = ["a", "A.b_c-1", "x" * 128]
UNSAFE = ["", "x" * 129, "a b", "a;b", "é", "<script>", "a/b", "a\tb"]
PATHS = ["/healthz", "/readyz", "/metrics", "/nowhere", "/api/v1/ingestion/jobs", "/docs"]


async def id_of(api, path, **headers):
    async with api.get(path, headers=headers) as answer:
        return answer.headers["X-Request-ID"], await answer.read()


@pytest.mark.parametrize("given", IDS)
@pytest.mark.parametrize("path", PATHS)
async def test_a_safe_id_is_taken_over(api, path, given):
    assert (await id_of(api, path, **{"X-Request-ID": given}))[0] == given


@pytest.mark.parametrize("given", UNSAFE)
async def test_any_other_is_replaced_by_one_of_ours(api, given):
    made, body = await id_of(api, "/nowhere", **{"X-Request-ID": given})

    assert made not in {given, ""}
    assert f'"request_id":"{made}"'.encode() in body


async def test_made_ids_are_never_used_twice(api):
    made = [(await id_of(api, "/healthz"))[0] for _ in range(20)]

    assert len(set(made)) == 20


async def test_an_unreadable_request_has_one_too(api):
    answer = await raw(api.port, b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n")

    (line,) = [one for one in answer.split(b"\r\n") if one.startswith(b"X-Request-ID: ")]
    assert b'"request_id":"' + line.partition(b": ")[2] + b'"' in answer


@pytest.mark.parametrize(
    ("traceparent", "bound"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"01-{TRACE}-b7ad6b7169203331-01-later", TRACE),
        (f"00-{TRACE}-b7ad6b7169203331-01-later", None),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        ("nonsense", None),
    ],
)
async def test_what_is_logged_for_a_request_bears_both(api, monkeypatch, traceparent, bound):
    seen = {}

    def look(*_):
        seen.update(structlog.contextvars.get_contextvars())
        raise RuntimeError

    monkeypatch.setattr("service.api.handlers.job_lists.JobStore", look)
    async with api.get(
        "/api/v1/ingestion/jobs", headers={"X-Request-ID": "mine", "traceparent": traceparent}
    ) as answer:
        assert answer.status == 500

    assert seen.get("request_id") == "mine"
    assert seen.get("trace_id") == bound


async def test_the_next_request_of_a_connection_is_logged_without_the_trace_of_the_one_before(
    api, monkeypatch
):
    seen = []

    def look(*_):
        seen.append(structlog.contextvars.get_contextvars())
        raise RuntimeError

    monkeypatch.setattr("service.api.handlers.job_lists.JobStore", look)
    token = api.session.headers["Authorization"]
    head = f"GET /api/v1/ingestion/jobs HTTP/1.1\r\nHost: here\r\nAuthorization: {token}\r\n"
    traced = f"{head}traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n\r\n"

    await raw(api.port, f"{traced}{head}Connection: close\r\n\r\n".encode())

    assert [one.get("trace_id") for one in seen] == [TRACE, None]
    assert seen[0]["request_id"] != seen[1]["request_id"]


async def test_a_status_that_is_read_on_the_fast_path_bears_one(api, job):
    first, _ = await id_of(api, URL)
    given, _ = await id_of(api, URL, **{"X-Request-ID": "mine"})

    assert (given, first != "mine") == ("mine", True)
