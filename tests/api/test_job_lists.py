"""Lists in pages: jobs by status, and the papers of a job."""

import threading
from uuid import UUID

import pytest
from yarl import URL

from service.api.handlers import job_lists
from service.api.job_status import status_document

JOBS = "/api/v1/ingestion/jobs"
PAPERS = "/api/v1/ingestion/job/{}/papers"
STATES = ("pending", "downloaded", "processed", "failed", "unavailable", "skipped")


async def pages(api, url):
    """Every page of a list, followed by its links."""
    found = []
    while url is not None:
        response = await api.get(url)
        assert response.status == 200, await response.text()
        found.append(await response.json())
        link = response.links.get("next")
        url = None if link is None else URL(str(link["url"])).relative()
        assert len(found) < 50
    return found


def ids(found):
    return [one["job_id"] for page in found for one in page]


@pytest.fixture
async def many(sql):
    """Twenty jobs of each status, two of each moment; ids, newest first, by status."""
    await sql(
        "INSERT INTO jobs (status, created_at) SELECT s, '2023-01-01Z'::timestamptz"
        " + (n / 2) * interval '1 microsecond' FROM generate_series(0, 19) AS n,"
        " unnest(ARRAY['pending', 'running', 'completed', 'failed', 'cancelled']) AS s"
    )
    rows = await sql("SELECT id, status FROM jobs ORDER BY created_at DESC, id DESC")
    return [(str(row.id), row.status) for row in rows]


@pytest.mark.parametrize("wanted", ["completed", "failed,cancelled", "running", "pending,failed"])
async def test_pages_hold_every_job_of_the_statuses_once_newest_first(api, many, wanted):
    found = await pages(api, f"{JOBS}?status={wanted}&limit=7")

    assert ids(found) == [i for i, status in many if status in wanted.split(",")]
    assert {len(page) for page in found[:-1]} == {7}


async def test_statuses_may_be_repeated_and_the_link_keeps_them(api, many):
    found = await pages(api, f"{JOBS}?status=failed&status=completed&limit=15")

    assert ids(found) == [i for i, status in many if status in ("failed", "completed")]


async def test_without_status_the_active_ones_come_in_pages_too(api, many):
    found = await pages(api, f"{JOBS}?limit=33")

    assert ids(found) == [i for i, status in many if status in ("pending", "running")]


async def test_a_thousand_active_jobs_come_at_once_and_a_link_to_the_rest(api, sql):
    await sql("INSERT INTO jobs (created_at) SELECT now() FROM generate_series(1, 1001)")

    found = await pages(api, JOBS)

    assert [len(page) for page in found] == [1000, 1]
    assert len(set(ids(found))) == 1001


async def test_a_page_shifts_by_no_job_that_comes_meanwhile(api, many, sql):
    first = await api.get(f"{JOBS}?status=completed&limit=10")
    await sql("INSERT INTO jobs (status) VALUES ('completed')")
    rest = await pages(api, URL(str(first.links["next"]["url"])).relative())

    assert ids([await first.json(), *rest]) == [i for i, s in many if s == "completed"]


async def test_the_last_page_has_no_link_though_it_is_full(api, many):
    response = await api.get(f"{JOBS}?status=failed&limit=20")

    assert len(await response.json()) == 20
    assert "Link" not in response.headers


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("status=done", "status"),
        ("status=", "status"),
        ("status=failed,", "status"),
        ("status=%00", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=true", "limit"),
        ("limit=9223372036854775808", "limit"),
        ("limit=NaN", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("cursor=abc", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=%ed%a0%80", "cursor"),
        ("owner=me", "owner"),
        ("status=failed&sort=asc", "sort"),
    ],
)
async def test_a_wrong_parameter_is_a_problem_that_names_it(api, query, named):
    response = await api.get(URL(f"{JOBS}?{query}", encoded=True))
    problem = await response.json(content_type="application/problem+json")

    assert response.status == 422
    assert list(problem["errors"]) == [named]


async def test_a_cursor_of_another_list_or_changed_is_refused(api, many, add_papers):
    job_id = await add_papers(3)
    first = await api.get(f"{JOBS}?status=failed&limit=1")
    papers = await api.get(PAPERS.format(job_id) + "?limit=1")
    good = URL(str(first.links["next"]["url"])).query["cursor"]
    other = URL(str(papers.links["next"]["url"])).query["cursor"]

    answers = [
        (await api.get(JOBS, params={"cursor": text})).status
        for text in (good, good[:-1], good + "A", good.swapcase(), other)
    ]

    assert answers == [200, 422, 422, 422, 422]


@pytest.fixture
def add_papers(sql):
    """A job with `number` papers in each state; its id."""

    async def add_papers(number: int):
        ((job_id,),) = await sql("INSERT INTO jobs (status) VALUES ('completed') RETURNING id")
        for place, state in enumerate(STATES):
            await sql(
                "INSERT INTO job_papers (job_id, arxiv_id, version, state, attempts, reason)"
                " SELECT :job, '23' || lpad((n % 12 + 1)::text, 2, '0') || '.' ||"
                " lpad((n * 10 + :place)::text, 5, '0'), 1, :state, 1,"
                " CASE WHEN :state = 'failed' THEN 'corrupt' END FROM generate_series(1, :n) AS n",
                job=job_id,
                place=place,
                state=state,
                n=number,
            )
        return job_id

    return add_papers


async def test_the_papers_of_a_job_come_by_id_each_with_its_state(api, sql, add_papers):
    job_id = await add_papers(5)
    await add_papers(5)

    found = await pages(api, PAPERS.format(job_id) + "?limit=8")

    papers = [paper for page in found for paper in page]
    assert len(papers) == 30
    assert [paper["arxiv_id"] for paper in papers] == sorted(p["arxiv_id"] for p in papers)
    assert {paper["state"] for paper in papers} == set(STATES)


async def test_a_paper_of_a_job_is_shown_whole(api, sql, add_papers):
    job_id = await add_papers(1)
    await sql(
        "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
        " primary_category, published_at, updated_at) SELECT arxiv_id, 1, 'A title', 'a', '{x}',"
        " '{cs.AI}', 'cs.AI', now(), now() FROM job_papers WHERE state = 'failed'"
    )
    await sql("UPDATE job_papers SET updated_at = '2023-01-01T00:00:00Z'")

    response = await api.get(PAPERS.format(job_id), params={"state": "failed"})

    assert await response.json() == [
        {
            "arxiv_id": "2302.00013",
            "version": 1,
            "title": "A title",
            "state": "failed",
            "attempts": 1,
            "failures": 0,
            "reason": "corrupt",
            "updated_at": "2023-01-01T00:00:00Z",
        }
    ]


@pytest.mark.parametrize("state", STATES)
async def test_papers_of_one_state_come_alone(api, add_papers, state):
    job_id = await add_papers(4)

    found = await pages(api, PAPERS.format(job_id) + f"?state={state}&limit=3")

    assert [[paper["state"] for paper in page] for page in found] == [[state] * 3, [state]]


async def test_a_job_without_papers_has_an_empty_list(api, sql):
    ((job_id,),) = await sql("INSERT INTO jobs DEFAULT VALUES RETURNING id")

    assert await pages(api, PAPERS.format(job_id)) == [[]]


@pytest.mark.parametrize("job_id", [str(UUID(int=7)), "abc", "%00", "{x}", "9" * 4000])
async def test_papers_of_an_unknown_job_are_not_found(api, job_id):
    response = await api.get(URL(PAPERS.format(job_id), encoded=True))
    problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["detail"]) == (404, "Job not found")


@pytest.mark.parametrize(
    ("query", "named"), [("state=done", "state"), ("status=failed", "status"), ("limit=", "limit")]
)
async def test_a_wrong_parameter_of_papers_is_named(api, add_papers, query, named):
    response = await api.get(PAPERS.format(await add_papers(1)) + f"?{query}")
    problem = await response.json(content_type="application/problem+json")

    assert (response.status, list(problem["errors"])) == (422, [named])


async def test_head_is_get_without_its_body_and_other_methods_are_refused(api, add_papers):
    job_id = await add_papers(2)
    for url in (f"{JOBS}?limit=1&status=completed", PAPERS.format(job_id) + "?limit=1"):
        got, head = await api.get(url), await api.head(url)

        assert head.status == 200
        assert await head.read() == b""
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
        assert head.headers.get("Link") == got.headers.get("Link")
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            refused = await api.request(method, url)
            assert refused.status == 405
            assert refused.headers["Allow"] == "GET,HEAD"


@pytest.fixture
def rendered_by(monkeypatch) -> list[int]:
    """The threads that render jobs of lists, one entry for each job."""
    threads = []

    def render(job):
        threads.append(threading.get_ident())
        return status_document(job)

    monkeypatch.setattr(job_lists, "status_document", render)
    return threads


@pytest.mark.parametrize(("errors", "is_large"), [(0, False), (100, True)])
async def test_a_large_list_is_rendered_beside_the_loop_to_the_same_bytes(
    api, sql, rendered_by, errors, is_large
):
    await sql("INSERT INTO jobs (errors_total) SELECT :n FROM generate_series(1, 3)", n=errors)
    await sql(
        "INSERT INTO job_errors (job_id, stage, error) SELECT id, 'general', repeat('ä', 300)"
        " FROM jobs, generate_series(1, :n)",
        n=errors,
    )
    newest = await sql("SELECT id FROM jobs ORDER BY created_at DESC, id DESC")

    listed = await (await api.get(JOBS)).read()

    alone = [await (await api.get(f"/api/v1/ingestion/job/{row.id}")).read() for row in newest]
    assert listed == b"[" + b",".join(alone) + b"]"
    assert len(rendered_by) == 3
    assert (threading.get_ident() not in rendered_by) is is_large
