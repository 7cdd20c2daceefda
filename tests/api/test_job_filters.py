"""Lists of jobs by filter and order, errors of a job, and repetitions that say so."""

import json
from datetime import datetime

import pytest

from tests.api.conftest import GOOD_BODY, JOB, PREFIX, bearer, token
from tests.api.test_job_lists import ids, pages

JOBS = f"{PREFIX}/jobs"
SCHEDULE = "01a204d1-0f2b-7c51-9a3e-3d5f1f0a9c42"


@pytest.fixture
async def several(sql):
    """Five jobs, one a day from 2023-01-01 on: name → id."""
    found = {}
    for day, (name, status, by, request, schedule) in enumerate(
        [
            ("first", "completed", "alice", {"labels": {"team": "a", "run": "1"}}, None),
            ("second", "running", "alice", {"labels": {"team": "a", "run": "2"}}, None),
            ("third", "pending", "bob", {"search_query": {"author": "Noether, E"}}, None),
            ("fourth", "failed", "bob", {"source": "oai", "labels": {"x": "50%_\\"}}, None),
            ("fifth", "running", "carol", {"source": "search"}, SCHEDULE),
        ]
    ):
        rows = await sql(
            "INSERT INTO jobs (status, requested_by, request, schedule_id, created_at)"
            " VALUES (:status, :by, CAST(:request AS jsonb), CAST(:schedule AS uuid),"
            " '2023-01-01Z'::timestamptz + :day * interval '1 day') RETURNING id",
            status=status,
            by=by,
            request=json.dumps(request),
            schedule=schedule,
            day=day,
        )
        found[name] = str(rows[0].id)
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("requested_by=alice", ["second"]),
        ("requested_by=alice&status=all", ["second", "first"]),
        ("requested_by=alice&status=completed", ["first"]),
        ("label=team:a&status=all", ["second", "first"]),
        ("label=team:a&label=run:1&status=all", ["first"]),
        ("label=run:1&label=run:2&status=all", []),
        ("label=team:&status=all", []),
        ("source=oai&status=all", ["fourth"]),
        ("source=search", ["fifth", "third", "second"]),
        (f"schedule_id={SCHEDULE}", ["fifth"]),
        ("created_after=2023-01-03T00:00:00Z", ["fifth", "third"]),
        ("created_before=2023-01-03T00:00:00Z&status=all", ["second", "first"]),
        ("q=NOETHER", ["third"]),
        ("q=noether+e", ["third"]),
        ("q=author", []),
        ("q=50%25_%5C&status=all", ["fourth"]),
        ("q=50_%25&status=all", []),
        ("status=all", ["fifth", "fourth", "third", "second", "first"]),
        ("sort=created_at&status=all", ["first", "second", "third", "fourth", "fifth"]),
        ("sort=created_at", ["second", "third", "fifth"]),
    ],
)
async def test_a_filter_leaves_what_matches_over_all_pages(api, several, query, names):
    found = await pages(api, f"{JOBS}?{query}&limit=1")

    assert ids(found) == [several[name] for name in names]


async def test_many_ids_are_looked_up_at_once_in_any_state(api, several):
    wanted = [several["first"], several["fourth"], several["fifth"], JOB]

    found = await (await api.get(JOBS, params=[("id", one) for one in wanted])).json()
    running = await (
        await api.get(JOBS, params=[("id", one) for one in wanted] + [("status", "running")])
    ).json()

    assert [one["job_id"] for one in found] == [
        several[name] for name in ("fifth", "fourth", "first")
    ]
    assert [one["job_id"] for one in running] == [several["fifth"]]


async def test_the_order_may_be_that_of_the_last_change(api, several, sql):
    await sql("UPDATE jobs SET resumed = 1 WHERE id = :id", id=several["second"])

    first = ids(await pages(api, f"{JOBS}?status=all&sort=-updated_at&limit=2"))
    last = ids(await pages(api, f"{JOBS}?status=all&sort=updated_at&limit=2"))

    assert first[0] == last[-1] == several["second"]
    assert sorted(first) == sorted(last) == sorted(several.values())


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("label=team", "label.0"),
        ("label=a%20b:c", "label.0"),
        ("&".join(["label=a:b"] * 17), "label"),
        ("created_after=2023-01-01", "created_after"),
        ("created_after=2023-01-01T00:00:00", "created_after"),
        ("created_before=yesterday", "created_before"),
        ("id=1", "id.0"),
        ("&".join([f"id={JOB}"] * 101), "id"),
        ("sort=priority", "sort"),
        ("q=" + "+".join("abcdefghijk"), "q"),
        ("requested_by=a&requested_by=b", "requested_by"),
        ("schedule_id=x", "schedule_id"),
        ("status=everything", "status"),
    ],
)
async def test_a_wrong_filter_is_named(api, query, field):
    response = await api.get(f"{JOBS}?{query}")

    assert response.status == 422
    assert list((await response.json())["errors"]) == [field]


async def test_the_cursor_of_another_order_is_refused(api, several):
    page = await api.get(f"{JOBS}?status=all&limit=1")
    cursor = page.links["next"]["url"].query["cursor"]

    response = await api.get(f"{JOBS}?status=all&limit=1&sort=created_at&cursor={cursor}")

    assert response.status == 422
    assert list((await response.json())["errors"]) == ["cursor"]


async def test_labels_are_kept_and_shown(api, sql):
    labels = {"team": "search", "nightly.run-1": "ünï"}
    made = await api.post(f"{PREFIX}/arxiv", json={**GOOD_BODY, "labels": labels})
    job_id = (await made.json())["job_id"]
    await sql("UPDATE jobs SET taken_up_at = now(), status = 'running' WHERE id = :id", id=job_id)

    stats = (await (await api.get(f"{PREFIX}/job/{job_id}")).json())["stats"]

    assert (stats["labels"], stats["requested_by"]) == (labels, "alice")
    assert stats["request"]["labels"] == labels


@pytest.mark.parametrize(
    "labels",
    [
        [],
        "a",
        {"": "x"},
        {"a" * 64: "x"},
        {"a:b": "x"},
        {"ä": "x"},
        {"a": None},
        {"a": "x" * 256},
        {"a": "x\x00"},
        {str(n): "x" for n in range(17)},
    ],
)
async def test_wrong_labels_are_refused(api, sql, labels):
    response = await api.post(f"{PREFIX}/arxiv", json={**GOOD_BODY, "labels": labels})

    assert response.status == 422
    assert list((await response.json())["errors"]) == ["labels"]


async def test_details_are_there_while_a_job_is_pending_and_only_where_asked_for(api, several):
    plain = await (await api.get(f"{JOBS}?id={several['third']}")).json()
    (found,) = await (await api.get(f"{JOBS}?id={several['third']}&details=true")).json()

    assert "details" not in plain[0]
    assert found["stats"] == {}
    assert list(found) == [*plain[0], "details"]
    updated_at = found["details"].pop("updated_at")
    assert datetime.fromisoformat(updated_at).tzinfo is not None
    assert found["details"] == {
        "request": {"search_query": {"author": "Noether, E"}},
        "requested_by": "bob",
        "labels": {},
        "retry_of": None,
        "schedule_id": None,
        "errors_total": 0,
    }


async def test_pages_with_details_follow_each_other(api, several):
    found = await pages(api, f"{JOBS}?status=all&limit=2&details=true")

    assert [len(page) for page in found] == [2, 2, 1]
    assert all("details" in one for page in found for one in page)


async def test_a_repetition_says_that_it_is_one(api):
    headers = {"Idempotency-Key": "k"}

    first, again = [
        await api.post(f"{PREFIX}/arxiv", json=GOOD_BODY, headers=headers) for _ in range(2)
    ]
    other = {**headers, **bearer(token(sub="bob"))}
    of_bob = await api.post(f"{PREFIX}/arxiv", json=GOOD_BODY, headers=other)

    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await again.json()) == (await first.json())
    assert "Idempotent-Replayed" not in of_bob.headers


async def test_a_repeated_retry_says_so_too(api, sql, job):
    await sql("UPDATE jobs SET status = 'failed', request = CAST(:r AS jsonb)", r=REQUEST)
    headers = {"Idempotency-Key": "k"}

    first, again = [await api.post(f"{PREFIX}/job/{JOB}/retry", headers=headers) for _ in range(2)]

    assert (first.status, again.status) == (202, 202)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


REQUEST = json.dumps(
    {
        "search_query": {"category": "cs.AI", "max_results": 5},
        "source": "search",
        "batch_size": 50,
        "max_papers": 10,
        "process_pdfs": True,
        "skip_duplicates": True,
        "priority": "normal",
    }
)


@pytest.fixture
async def errors(sql, job):
    await sql(
        "INSERT INTO job_errors (job_id, stage, error, code, arxiv_id, attempt)"
        f" SELECT '{JOB}'::uuid, 'pdf_download', 'error ' || n, 'corrupt', '2301.0000' || n % 2, 1"
        " FROM generate_series(1, 150) AS n"
        f" UNION ALL SELECT '{JOB}'::uuid, 'general', 'no code', NULL, NULL, NULL"
    )


async def test_all_errors_come_in_pages_in_order(api, errors):
    found = [one for page in await pages(api, f"{STATUS}/errors?limit=70") for one in page]

    assert len(found) == 151
    assert [one["error"] for one in found[:150]] == [f"error {n}" for n in range(1, 151)]
    assert set(found[0]) == {"timestamp", "error", "stage", "arxiv_id", "code", "attempt"}
    assert set(found[-1]) == {"timestamp", "error", "stage"}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("stage=pdf_download&code=corrupt", 150),
        ("stage=pdf_download", 150),
        ("code=", 1),
        ("stage=general&code=corrupt", 0),
        ("stage=general", 1),
    ],
)
async def test_errors_of_one_stage_and_code_come_in_pages_too(api, errors, query, count):
    found = [one for page in await pages(api, f"{STATUS}/errors?limit=70&{query}") for one in page]

    assert len(found) == count


@pytest.mark.parametrize("query", ["code=a%00", "code=A", "stage=nowhere", "stage="])
async def test_what_is_no_code_or_stage_is_refused_by_name(api, errors, query):
    response = await api.get(f"{STATUS}/errors?{query}")
    document = await response.json(content_type=None)

    assert response.status == 422
    assert list(document["errors"]) == [query.partition("=")[0]]


async def test_errors_are_counted_by_stage_and_code(api, errors):
    found = await (await api.get(f"{STATUS}/errors?group=code")).json()

    assert found == [
        {
            "stage": "pdf_download",
            "code": "corrupt",
            "count": 150,
            "papers": 2,
            "example": "error 150",
        },
        {"stage": "general", "code": None, "count": 1, "papers": 0, "example": "no code"},
    ]


async def test_errors_of_no_job_are_not_found(api, sql):
    assert (await api.get(f"{STATUS}/errors")).status == 404
    assert (await api.get(f"{PREFIX}/job/x/errors?group=code")).status == 404


STATUS = f"{PREFIX}/job/{JOB}"
