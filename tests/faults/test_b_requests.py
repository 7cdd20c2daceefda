"""What a request body may be: each refusal names what is wrong, and nothing is half stored."""

import io
import json
from collections.abc import AsyncIterator
from time import thread_time

import pytest

from service.api.schemas.ingestion_request import load_request
from service.domain.errors import InvalidRequest
from service.domain.jobs import Criteria, JobStatus
from tests.api.test_bad_requests import GOOD, JSON, SEARCH, URL, send
from tests.api.test_submit import posted

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        '{"search_query": {"category": "cs.AI"}}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"search_query": {"category": "cs.AI"}} x',
        b'{"max_papers": NaN}',
        b'{"max_papers": Infinity}',
        b"\xef\xbb\xbf" + GOOD,
    ],
    ids=lambda data: repr(data[:12]),
)
async def test_case_17_what_is_not_json_is_malformed(api, data):
    response, _ = await send(api, data)

    assert response.status == 400


@pytest.mark.parametrize("charset", ["bogus", "utf-16", "latin-1", "idna", "rot13"])
async def test_case_17_only_utf_8_is_read(api, charset):
    headers = {"Content-Type": f"application/json; charset={charset}"}

    response, _ = await send(api, GOOD, **headers)

    assert response.status == 400


async def test_case_17_a_key_that_occurs_twice_is_named(api):
    response, problem = await send(api, b'{"search_query": {"query": "x", "query": "y"}}')

    assert response.status == 422
    assert problem["errors"] == {"query": ["Must be given once."]}


def refusal_seconds(document) -> float:
    """Of the processor, for one refusal: the least of some, whatever else the machine does."""
    found = []
    for _ in range(5):
        before = thread_time()
        with pytest.raises(InvalidRequest):
            load_request(document)
        found.append(thread_time() - before)
    return min(found)


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda n: {SEARCH: {"ids": [1] * 5 * n}},
        lambda n: {SEARCH: {"query": "x"}, **{f"field {k}": k for k in range(n)}},
        lambda n: {SEARCH: {f"field {k}": k for k in range(n)}},
    ],
    ids=["ids", "fields", "fields below"],
)
def test_case_17_a_megabyte_of_nonsense_is_refused_without_looking_at_all_of_it(nonsense):
    """Ten times as much nonsense costs less than ten times as much: one by one it costs more."""
    tenth, all_of_it = (refusal_seconds(nonsense(n)) for n in (6_000, 60_000))

    assert all_of_it < 5 * tenth + 0.1


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"1", b"null", b"true"])
async def test_case_18_what_is_no_object_is_refused(api, data):
    response, _ = await send(api, data)

    assert response.status in (400, 422)


@pytest.mark.parametrize("name", ["query", "category", "author", "title", "abstract"])
@pytest.mark.parametrize("mark", ["\\u0000", "\\ud800", "\\udfff"])
async def test_case_19_what_postgresql_cannot_store_is_refused_in_any_text(api, sql, name, mark):
    response, problem = await send(api, f'{{"search_query": {{"{name}": "a{mark}b"}}}}'.encode())

    assert response.status == 422
    assert list(problem["errors"]) == [f"search_query.{name}"]
    assert await sql("SELECT id FROM jobs") == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "json",
        "",
    ],
)
async def test_case_20_other_media_types_are_refused(api, content_type):
    response, _ = await send(api, GOOD, **{"Content-Type": content_type})

    assert response.status == 415


async def test_case_20_no_media_type_is_refused(api):
    response = await api.post(URL, data=GOOD, skip_auto_headers=["Content-Type"])

    assert response.status == 415


@pytest.mark.parametrize("name", ["id", "status", "owner", "attempts", "created_at", "lease"])
async def test_case_21_our_own_columns_cannot_be_written(api, sql, name):
    response, problem = await send(api, json.dumps({SEARCH: {"query": "x"}, name: "completed"}))

    assert response.status == 422
    assert list(problem["errors"]) == [name]
    assert await sql("SELECT id FROM jobs") == []


async def test_case_22_the_length_of_a_query_is_bounded(api):
    texts = ["", "  ", "a", "a" * 1000, "a" * 1001]

    answers = [(await posted(api, {SEARCH: {"query": text}}))[0].status for text in texts]

    assert answers == [422, 422, 202, 202, 422]


async def test_case_22_no_url_that_is_sent_is_long(rig):
    wide = Criteria(query="\u5b57" * 1000, title="\u5b57" * 200, author="\u5b57" * 200)
    ids = load_request({SEARCH: {"ids": [f"math.GT/{n:07}v2" for n in range(9901001, 9901301)]}})

    async with rig.worker():
        jobs = [
            await rig.final(await rig.submit(criteria=wide, process_pdfs=False)),
            await rig.final(
                await rig.submit(criteria=ids.criteria, max_papers=300, process_pdfs=False)
            ),
        ]

    assert [job.status for job in jobs] == [JobStatus.COMPLETED] * 2
    assert len(rig.replica.log.since(lane="api")) >= 4
    assert max(len(record.path) for record in rig.replica.log.since(lane="api")) < 8000


HOSTILE = ["'; DROP TABLE papers;--", "$1", "%s", ":name", "<script>alert(1)</script>", "=cmd()"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_case_23_hostile_text_is_stored_as_it_came(api, sql, text):
    response, _ = await posted(api, {"search_query": {"query": text, "title": text}})
    ((stored,),) = await sql("SELECT request -> 'search_query' ->> 'query' FROM jobs")
    await sql("SELECT count(*) FROM papers")

    assert response.status == 202
    assert stored == text


@pytest.mark.parametrize(
    "dates",
    [
        {"from_date": "20240102", "to_date": "20240101"},
        {"from_date": "20240230"},
        {"from_date": "00000101"},
        {"to_date": "100000101"},
        {"to_date": "20240101T000000"},
        {"to_date": "2024-01-01T00:00:00+02:00"},
        {"to_date": "2016-12-31T23:59:60Z"},
    ],
    ids=str,
)
async def test_case_24_a_date_is_a_day_that_exists_in_order(api, dates):
    response, problem = await send(api, json.dumps({SEARCH: dates}))

    assert response.status == 422
    assert set(problem["errors"]) <= {"search_query.from_date", "search_query.to_date"}


BAD_IDS = [
    "../../etc/passwd",
    "/etc/passwd",
    "hep-th/../../x",
    "hep-th/9901001/../../x",
    "..%2f..%2f",
    "2301.00001\u0000",
    "2301.00001.pdf",
    "２３０１.00001",
    "2" * 300,
    "2301.00001v0",
    "2313.00001",
    "",
]


@pytest.mark.parametrize("arxiv_id", BAD_IDS, ids=lambda text: repr(text[:20]))
async def test_case_25_what_is_no_arxiv_id_is_refused_at_its_place(api, arxiv_id):
    body = {SEARCH: {"ids": ["2301.00001", arxiv_id]}}

    response, problem = await send(api, json.dumps(body))

    assert response.status == 422
    assert list(problem["errors"]) == ["search_query.ids.1"]


@pytest.mark.parametrize(
    "arxiv_id", ["2301.00001", "2301.00001v3", "hep-th/9901001", "math.GT/0309136v2"]
)
async def test_case_25_ids_of_every_style_are_taken(api, arxiv_id):
    response, document = await posted(api, {"search_query": {"ids": [arxiv_id]}})

    assert response.status == 202
    shown = arxiv_id.replace("math.GT/", "math/")  # the subject class is no part of the id
    assert document["search_criteria"]["ids"] == [shown]
    assert document["estimated_papers"] == 1


async def test_case_26_a_body_over_the_limit_is_refused_by_its_length(api):
    response, _ = await send(api, io.BytesIO(b" " * (1 << 20) + b"x"))

    assert response.status == 413


async def test_case_26_a_chunked_body_over_the_limit_is_refused(api):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b" " * 65536

    response, _ = await send(api, chunks())

    assert response.status == 413


async def test_case_26_a_request_of_exactly_the_limit_is_accepted(api):
    response = await api.post(URL, data=io.BytesIO(GOOD.ljust(MEBIBYTE)), headers=JSON)

    assert response.status == 202
