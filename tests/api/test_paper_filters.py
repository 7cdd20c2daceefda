"""Papers by id, by job, by licence and by when they were stored."""

import pytest

from service.db.papers import PaperStore
from tests.api.conftest import JOB
from tests.conftest import make_paper

URL = "/api/v1/papers"


@pytest.fixture
async def held(database, sql, job):
    papers = [make_paper(f"2301.0000{n}v1", license=f"http://l/{n % 2}") for n in (1, 2, 3)]
    async with database.transaction() as conn:
        await PaperStore(conn).upsert(papers, overwrite=True)
    await sql(
        f"INSERT INTO job_papers (job_id, arxiv_id, state) VALUES ('{JOB}', '2301.00002', 'failed')"
    )
    await sql(
        "UPDATE papers SET stored_at"
        " = ('2023-01-0' || right(arxiv_id, 1) || 'T00:00Z')::timestamptz"
    )


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("ids=2301.00003,2301.00001,2301.00009", [3, 1]),
        (f"job_id={JOB}", [2]),
        ("job_id=123e4567-e89b-12d3-a456-426614174001", []),
        ("license=http://l/1", [3, 1]),
        ("stored_after=2023-01-02T00:00:00Z", [3, 2]),
    ],
)
async def test_a_filter_leaves_what_matches(api, held, query, numbers):
    found = await (await api.get(f"{URL}?{query}")).json()

    assert [one["arxiv_id"] for one in found] == [f"2301.0000{n}" for n in numbers]


@pytest.mark.parametrize(
    "query",
    [
        "ids=x",
        "ids=2301.00001v1",
        "ids=" + ",".join(["2301.00001"] * 101),
        "job_id=x",
        "stored_after=2023-01-01",
    ],
)
async def test_a_wrong_one_is_named(api, query):
    response = await api.get(f"{URL}?{query}")

    assert response.status == 422
    assert list((await response.json())["errors"]) == [query.partition("=")[0]]


async def test_a_bulk_job_finds_the_papers_that_it_stored(api, database, sql):
    ((job_id,),) = await sql("INSERT INTO jobs DEFAULT VALUES RETURNING id")
    async with database.transaction() as conn:
        store = PaperStore(conn)
        await store.merge([make_paper("2301.00001v1")], job_id=job_id)
        await store.merge([make_paper("2301.00002v1")], job_id=None)

    found = await (await api.get(f"/api/v1/papers?job_id={job_id}")).json()

    assert [paper["arxiv_id"] for paper in found] == ["2301.00001"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://creativecommons.org/licenses/by/4.0", ["2301.00001"]),
        ("http://creativecommons.org/licenses/by/4.0/", ["2301.00001"]),
        ("http://arxiv.org/licenses/assumed-1991-2003/", ["2301.00002"]),
        ("http://creativecommons.org/licenses/by/3.0/", []),
    ],
)
async def test_a_licence_is_found_in_any_spelling_and_when_it_is_assumed(
    api, database, sql, url, found
):
    told = "http://creativecommons.org/licenses/by/4.0/"
    papers = [make_paper("2301.00001v1", license=told), make_paper("2301.00002v1")]
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([*papers, make_paper("2301.00003v1")], overwrite=True)
    await sql("UPDATE papers SET license_told = true WHERE arxiv_id = '2301.00002'")

    answer = await (await api.get("/api/v1/papers", params={"license": url})).json()

    assert [paper["arxiv_id"] for paper in answer] == found
