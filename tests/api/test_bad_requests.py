"""What cannot be a request is refused by name, and leaves no row and no task."""

import json
import threading
from typing import Any

import orjson
import pytest

from service.api import request_body

URL = "/api/v1/ingestion/arxiv"
JSON = {"Content-Type": "application/json"}
GOOD = b'{"search_query": {"category": "cs.AI"}}'


async def send(api: Any, data: Any, **headers: str) -> tuple[Any, Any]:
    """POST `data` as it is; checks that the answer is a problem without our insides in it."""
    response = await api.post(URL, data=data, headers=JSON | headers)
    body = await response.read()
    document = orjson.loads(body)
    assert response.content_type == "application/problem+json"
    assert document["status"] == response.status
    assert not any(word in body for word in (b"Traceback", b"SELECT", b"sqlalchemy", b"asyncpg"))
    return response, document


@pytest.fixture
async def nothing_written(sql: Any) -> Any:
    yield
    assert await sql("SELECT id FROM jobs") == []
    assert await sql("SELECT id FROM pgqueuer") == []


pytestmark = pytest.mark.usefixtures("nothing_written")


SEARCH = "search_query"
DAYS = {"from_date": "20240302", "to_date": "2024-03-01"}
BAD_FIELDS = [
    ("a NUL", {SEARCH: {"query": "a\u0000b"}}, "search_query.query"),
    ("a lone surrogate", {SEARCH: {"title": "a\ud800b"}}, "search_query.title"),
    ("an unknown field", {SEARCH: {"category": "cs.AI"}, "colour": 1}, "colour"),
    ("an unknown field below", {SEARCH: {"category": "cs.AI", "colour": 1}}, "search_query.colour"),
    ("nothing at all", {}, "search_query"),
    ("no terms", {SEARCH: {}}, "search_query"),
    ("null", {SEARCH: None}, "search_query"),
    ("a list", {SEARCH: []}, "search_query"),
    ("blank text", {SEARCH: {"query": "  "}}, "search_query.query"),
    ("empty text", {SEARCH: {"query": ""}}, "search_query.query"),
    ("long text", {SEARCH: {"query": "a" * 1001}}, "search_query.query"),
    ("a line break", {SEARCH: {"author": "a\nb"}}, "search_query.author"),
    ("text as a number", {SEARCH: {"query": 1}}, "search_query.query"),
    ("no category", {SEARCH: {"category": "cs AI"}}, "search_query.category"),
    ("a category to break out", {SEARCH: {"category": "cs.AI OR all:x"}}, "search_query.category"),
    ("from after to", {SEARCH: {"from_date": "20240102", "to_date": "20240101"}}, "from_date"),
    ("no such day", {SEARCH: {"from_date": "20240230"}}, "search_query.from_date"),
    ("year 0", {SEARCH: {"from_date": "00000101"}}, "search_query.from_date"),
    ("year 10000", {SEARCH: {"to_date": "100000101"}}, "search_query.to_date"),
    ("a zoned moment", {SEARCH: {"to_date": "2024-01-01T00:00:00Z"}}, "search_query.to_date"),
    ("full-width digits", {SEARCH: {"to_date": "２０２４０１０１"}}, "search_query.to_date"),
    ("a day as a number", {SEARCH: {"to_date": 20240101}}, "search_query.to_date"),
    ("no ids", {SEARCH: {"ids": []}}, "search_query.ids"),
    ("an id as text", {SEARCH: {"ids": "2301.00001"}}, "search_query.ids"),
    ("an id as a number", {SEARCH: {"ids": [2301.00001]}}, "search_query.ids.0"),
    ("ids as null", {SEARCH: {"ids": [None]}}, "search_query.ids.0"),
    ("2,001 ids", {SEARCH: {"ids": [f"2301.{n:05}" for n in range(2001)]}}, "search_query.ids"),
    ("no results", {SEARCH: {"query": "x", "max_results": 0}}, "search_query.max_results"),
    ("2,001 results", {SEARCH: {"query": "x", "max_results": 2001}}, "search_query.max_results"),
    ("true results", {SEARCH: {"query": "x", "max_results": True}}, "search_query.max_results"),
    ("results as text", {SEARCH: {"query": "x", "max_results": "5"}}, "search_query.max_results"),
    ("half a result", {SEARCH: {"query": "x", "max_results": 5.5}}, "search_query.max_results"),
    ("many results", {SEARCH: {"query": "x", "max_results": 10**30}}, "search_query.max_results"),
    ("a start below 0", {SEARCH: {"query": "x", "start": -1}}, "search_query.start"),
    ("a start too far", {SEARCH: {"query": "x", "start": 1_000_001}}, "search_query.start"),
    ("another order", {SEARCH: {"query": "x", "sort_by": "colour"}}, "search_query.sort_by"),
    ("an order in a list", {SEARCH: {"query": "x", "sort_by": []}}, "search_query.sort_by"),
    ("another direction", {SEARCH: {"query": "x", "sort_order": "up"}}, "search_query.sort_order"),
    ("a batch of 0", {SEARCH: {"query": "x"}, "batch_size": 0}, "batch_size"),
    ("a batch of 201", {SEARCH: {"query": "x"}, "batch_size": 201}, "batch_size"),
    ("no papers", {SEARCH: {"query": "x"}, "max_papers": 0}, "max_papers"),
    ("100,001 papers", {SEARCH: {"query": "x"}, "max_papers": 100_001}, "max_papers"),
    (
        "beyond the window",
        {SEARCH: {"query": "x", "start": 9_999, "sort_by": "relevance"}, "max_papers": 2},
        "max_papers",
    ),
    ("cs.ai", {SEARCH: {"category": "cs.ai"}}, "search_query.category"),
    ("a search of oai", {SEARCH: {"query": "x"}, "source": "oai"}, "search_query"),
    ("oai without its object", {"source": "oai"}, "oai"),
    ("an object of another source", {"oai": {}}, "oai"),
    ("a set that is none", {"source": "oai", "oai": {"set": "cs.AI"}}, "oai.set"),
    ("another format", {"source": "oai", "oai": {"metadata_format": "x"}}, "oai.metadata_format"),
    ("days not in order", {"source": "oai", "oai": DAYS}, "oai.from_date"),
    ("the day after tomorrow", {"source": "oai", "oai": {"to_date": "2999-01-01"}}, "oai.to_date"),
    ("a bulk batch of 2,001", {"source": "oai", "oai": {}, "batch_size": 2_001}, "batch_size"),
    ("a bound of an audit", {"source": "audit", "audit": {}, "max_papers": 1}, "max_papers"),
    ("healing perhaps", {"source": "audit", "audit": {"heal": 1}}, "audit.heal"),
    ("no file", {"source": "snapshot", "snapshot": {}}, "snapshot.file"),
    ("a path", {"source": "snapshot", "snapshot": {"file": "../x"}}, "snapshot.file"),
    ("no snapshots here", {"source": "snapshot", "snapshot": {"file": "x.json"}}, "snapshot"),
    ("PDFs perhaps", {SEARCH: {"query": "x"}, "process_pdfs": "yes"}, "process_pdfs"),
    ("duplicates 1", {SEARCH: {"query": "x"}, "skip_duplicates": 1}, "skip_duplicates"),
    ("urgent", {SEARCH: {"query": "x"}, "priority": "urgent"}, "priority"),
    ("a priority in an object", {SEARCH: {"query": "x"}, "priority": {}}, "priority"),
    ("another source", {SEARCH: {"query": "x"}, "source": "web"}, "source"),
    ("our own columns", {SEARCH: {"query": "x"}, "status": "completed"}, "status"),
    ("an id of its own", {SEARCH: {"query": "x"}, "id": "0"}, "id"),
    ("a moment of its own", {SEARCH: {"query": "x"}, "created_at": "2020"}, "created_at"),
]


@pytest.mark.parametrize(("body", "field"), [pytest.param(b, f, id=n) for n, b, f in BAD_FIELDS])
async def test_a_wrong_field_is_named(api, body, field):
    response, problem = await send(api, json.dumps(body))

    assert response.status == 422
    assert any(name == field or name.endswith(f".{field}") for name in problem["errors"])
    assert field in problem["detail"]


async def test_all_wrong_fields_are_named_at_once(api):
    body = {SEARCH: {"query": 1, "start": -1}, "batch_size": 0}

    _, problem = await send(api, json.dumps(body))

    assert set(problem["errors"]) == {"search_query.query", "search_query.start", "batch_size"}


@pytest.mark.parametrize(
    "name", ["\ud800", "\u0000", "a\r\nX-Injected: 1", "<script>", "x" * 100_000, ""]
)
async def test_a_hostile_field_name_is_answered_like_any_other(api, name):
    body = {SEARCH: {"query": "x"}, name: 1}

    response, problem = await send(api, json.dumps(body))

    assert response.status == 422
    assert "X-Injected" not in response.headers
    assert len(json.dumps(problem)) < 10_000


async def test_ten_thousand_unknown_fields_get_a_short_answer(api):
    body = {SEARCH: {"query": "x"}, **{f"field {n}": n for n in range(10_000)}}

    response = await api.post(URL, data=json.dumps(body), headers=JSON)

    assert response.status == 422
    assert len(await response.read()) < 100_000


async def test_ten_thousand_bad_ids_get_a_short_answer(api):
    body = {SEARCH: {"ids": ["x"] * 10_000}}

    response = await api.post(URL, data=json.dumps(body), headers=JSON)

    assert response.status == 422
    assert len(await response.read()) < 200_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_compressed_as_it_says_is_malformed(api, encoding):
    response, _ = await send(api, GOOD, **{"Content-Encoding": encoding})

    assert response.status == 400


async def test_a_large_body_is_not_parsed_on_the_event_loop(api, monkeypatch):
    """A mebibyte of JSON would hold up everybody else for a tenth of a second."""
    threads, parsed = [], request_body._parsed

    def noted(raw):
        threads.append(threading.current_thread() is threading.main_thread())
        return parsed(raw)

    monkeypatch.setattr(request_body, "_parsed", noted)
    for size in (0, request_body.LARGE_BODY_BYTES):
        response, _ = await send(api, orjson.dumps({SEARCH: {"title": "a" * size}, "colour": 1}))
        assert response.status == 422

    assert threads == [True, False]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/healthz", 405),
        ("POST", URL, 415),
        ("GET", "/api/v1/ingestion/job/123e4567-e89b-12d3-a456-426614174000", 404),
    ],
)
async def test_no_problem_may_be_kept_by_a_cache(api, method, path, status):
    """What is not there now may be there in a moment, and what was refused allowed."""
    response = await api.request(method, path)

    assert response.status == status
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_refused_token_may_not_be_kept_by_a_cache(serve):
    api = await serve(sub=None)

    response = await api.get("/api/v1/ingestion/jobs")

    assert response.status == 401
    assert response.headers["Cache-Control"] == "no-store"
