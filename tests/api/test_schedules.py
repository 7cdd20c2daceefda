"""Schedules over HTTP: made, seen, listed, changed, removed; and what is refused."""

import asyncio
from dataclasses import replace
from itertools import chain
from uuid import UUID, uuid4

import orjson
import pytest
from yarl import URL

from service.api.middlewares.rate_limit import Bounds
from tests.api.conftest import RULES

URL_ = "/api/v1/schedules"
REQUEST = {"search_query": {"category": "cs.AI"}, "max_papers": 10}
GOOD = {"name": "nightly", "cron": "0 3 * * *", "request": REQUEST}
END = (
    "UPDATE jobs SET status = 'completed', started_at = now(), completed_at = now()"
    " WHERE status = 'pending'"
)
KEYS = (
    "schedule_id name cron timezone paused request created_by created_at next_run_at last_run_at"
    " last_job_id"
)


@pytest.fixture
def make(api):
    """Make a schedule, changed as the test wants it; its document."""

    async def make(**changes):
        response = await api.post(URL_, json={**GOOD, **changes})
        assert response.status == 201, await response.text()
        return await response.json()

    return make


async def refusal(response):
    problem = await response.json(content_type="application/problem+json")
    assert problem["status"] == response.status
    return response.status, problem.get("errors", problem["detail"])


async def test_a_schedule_is_made_and_shown(api, sql):
    response = await api.post(URL_, json=GOOD)
    made = await response.json()
    shown = await api.get(response.headers["Location"])

    assert response.status == 201
    assert list(made) == KEYS.split()
    assert await shown.json() == made
    assert response.headers["Location"] == f"{URL_}/{made['schedule_id']}"
    assert (made["name"], made["cron"], made["timezone"]) == ("nightly", "0 3 * * *", "UTC")
    assert (made["paused"], made["created_by"], made["last_job_id"]) == (False, "alice", None)
    assert made["request"]["max_papers"] == 10
    assert made["request"]["priority"] == "normal"
    assert await sql(
        "SELECT next_run_at > now(), next_run_at <= now() + interval '1 day',"
        " extract(hour FROM next_run_at)::integer FROM schedules"
    ) == [(True, True, 3)]


async def test_a_paused_one_has_no_next_run_until_it_is_resumed(api, make):
    made = await make(paused=True)
    url = f"{URL_}/{made['schedule_id']}"

    resumed = await (await api.patch(url, json={"paused": False})).json()
    paused = await (await api.patch(url, json={"paused": True})).json()

    assert made["next_run_at"] is None
    assert resumed["next_run_at"].endswith("T03:00:00Z")
    assert (paused["paused"], paused["next_run_at"]) == (True, None)


async def test_a_change_leaves_the_rest_as_it_is(api, make):
    made = await make()
    url = f"{URL_}/{made['schedule_id']}"

    changed = await (await api.patch(url, json={"cron": "30 4 * * *", "name": "later"})).json()
    other = await (await api.patch(url, json={"request": {**REQUEST, "max_papers": 3}})).json()
    nothing = await (await api.patch(url, json={"timezone": "UTC"})).json()

    assert changed["next_run_at"].endswith("T04:30:00Z")
    assert {**changed, "cron": made["cron"], "name": made["name"]} == {
        **made,
        "next_run_at": changed["next_run_at"],
    }
    assert other["request"]["max_papers"] == 3
    assert nothing == other


async def test_a_removed_one_is_gone_and_its_jobs_are_not(api, make, sql):
    made = await make()
    url = f"{URL_}/{made['schedule_id']}"
    await sql("INSERT INTO jobs DEFAULT VALUES")
    await sql("UPDATE schedules SET last_job_id = (SELECT id FROM jobs)")

    removed = await api.delete(url)

    assert removed.status == 200
    assert await removed.json() == {
        "message": f"Schedule {made['schedule_id']} removed successfully"
    }
    assert await refusal(await api.get(url)) == (404, "Schedule not found")
    assert await refusal(await api.delete(url)) == (404, "Schedule not found")
    assert await sql("SELECT count(*) FROM jobs") == [(1,)]


async def test_a_name_is_given_once(api, make):
    await make()
    other = await make(name="other")
    taken = (409, "There is a schedule of this name already")

    answers = await asyncio.gather(*(api.post(URL_, json={**GOOD, "name": "x"}) for _ in range(5)))

    assert await refusal(await api.post(URL_, json=GOOD)) == taken
    url = f"{URL_}/{other['schedule_id']}"
    assert await refusal(await api.patch(url, json={"name": "nightly"})) == taken
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


async def test_the_list_comes_by_name_in_pages(api, make):
    names = ["z", "a", "é", "🎓" * 100, "m", "\u4e2d"]
    for name in names:
        await make(name=name)

    found, url = [], f"{URL_}?limit=2"
    while url is not None:
        response = await api.get(url)
        found.append([one["name"] for one in await response.json()])
        link = response.links.get("next")
        url = None if link is None else URL(str(link["url"])).relative()

    assert [len(page) for page in found] == [2, 2, 2]
    assert sorted(chain.from_iterable(found)) == sorted(names)
    assert (await (await api.get(URL_)).json())[0]["name"] == found[0][0]


def moving(source, **dates):
    """A request of the source with these dates."""
    if source == "search_query":
        return {"request": {source: {"category": "cs.AI", **dates}}}
    return {"request": {"source": source, source: dates}}


BAD = [
    ({"cron": "0 3 * *"}, "cron"),
    ({"cron": "0 0 30 2 *"}, "cron"),
    ({"cron": "@daily"}, "cron"),
    ({"cron": 5}, "cron"),
    ({"cron": "0 3 * * *\x00"}, "cron"),
    ({"cron": "9" * 5000}, "cron"),
    ({"name": ""}, "name"),
    ({"name": " "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": None}, "name"),
    ({"name": ["x"]}, "name"),
    ({"timezone": "Europe/Atlantis"}, "timezone"),
    ({"timezone": "../UTC"}, "timezone"),
    ({"timezone": 0}, "timezone"),
    ({"paused": 1}, "paused"),
    ({"paused": "true"}, "paused"),
    ({"is_paused": True}, "is_paused"),
    ({"id": str(uuid4())}, "id"),
    ({"created_by": "bob"}, "created_by"),
    ({"next_run_at": "2020-01-01T00:00:00Z"}, "next_run_at"),
    ({"request": None}, "request"),
    ({"request": []}, "request"),
    ({"request": {}}, "request.search_query"),
    ({"request": {**REQUEST, "max_papers": True}}, "request.max_papers"),
    ({"request": {**REQUEST, "max_papers": "10"}}, "request.max_papers"),
    ({"request": {**REQUEST, "batch_size": 2**63}}, "request.batch_size"),
    ({"request": {**REQUEST, "extra": 1}}, "request.extra"),
    ({"request": {"search_query": {"category": "cs.AI\x00"}}}, "request.search_query.category"),
    ({"request": {"search_query": {"from_date": "20240230"}}}, "request.search_query.from_date"),
    ({"request": {"search_query": {"ids": ["../x"]}}}, "request.search_query.ids.0"),
    (moving("search_query", to_date="last_success"), "request.search_query.to_date"),
    (moving("search_query", from_date="today-7"), "request.search_query.from_date"),
    (moving("search_query", from_date="today+1d"), "request.search_query.from_date"),
    (
        moving("search_query", from_date="yesterday", to_date="today-7d"),
        "request.search_query.from_date",
    ),
    (
        moving("search_query", from_date="last_success", to_date="today-7d"),
        "request.search_query.from_date",
    ),
    (
        {"request": {"search_query": {"from_date": "last_success"}}},
        "request.search_query.from_date",
    ),
    (moving("oai", from_date="tomorrow"), "request.oai.from_date"),
    (moving("audit", from_date="Yesterday"), "request.audit.from_date"),
]


@pytest.mark.parametrize(("change", "named"), BAD)
async def test_a_wrong_field_is_named_and_nothing_is_stored(api, make, sql, change, named):
    made = await make(name="good")
    before = await sql("SELECT * FROM schedules")

    posted = await api.post(URL_, json={**GOOD, **change})
    patched = await api.patch(f"{URL_}/{made['schedule_id']}", json=change)

    assert [(await refusal(answer))[0] for answer in (posted, patched)] == [422, 422]
    assert list((await refusal(posted))[1]) == list((await refusal(patched))[1]) == [named]
    assert await sql("SELECT * FROM schedules") == before


@pytest.mark.parametrize("missing", ["name", "cron", "request"])
async def test_what_is_missing_is_named(api, missing):
    response = await api.post(URL_, json={k: v for k, v in GOOD.items() if k != missing})

    assert await refusal(response) == (422, {missing: ["Missing data for required field."]})


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"Content-Type": "application/json"}, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b'{"name":"\xff"}', {"Content-Type": "application/json"}, 400),
        (b'{"name":NaN}', {"Content-Type": "application/json"}, 400),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b"null", {"Content-Type": "application/json"}, 422),
        (b"{}", {"Content-Type": "application/json"}, 422),
        (b'{"name":"\\ud800"}', {"Content-Type": "application/json"}, 422),
        (orjson.dumps(GOOD), {"Content-Type": "text/plain"}, 415),
    ],
)
async def test_what_is_no_proper_json_is_refused(api, make, sql, body, headers, status):
    made = await make(name="good")

    answers = [
        await api.post(URL_, data=body, headers=headers),
        await api.patch(f"{URL_}/{made['schedule_id']}", data=body, headers=headers),
    ]

    assert [(await refusal(answer))[0] for answer in answers] == [status, status]
    assert await sql("SELECT name FROM schedules") == [("good",)]


@pytest.mark.parametrize("schedule_id", [str(UUID(int=7)), "abc", "%00", "9" * 4000, "{x}"])
async def test_an_unknown_schedule_is_not_found(api, schedule_id):
    url = URL(f"{URL_}/{schedule_id}", encoded=True)

    answers = [
        await api.get(url),
        await api.patch(url, json={"paused": True}),
        await api.delete(url),
        await api.post(url / "run"),
        await api.get(url / "jobs"),
    ]

    assert [await refusal(answer) for answer in answers] == [(404, "Schedule not found")] * 5


async def test_with_a_scope_for_operators_only_its_maker_may_change_or_remove_it(serve, make, sql):
    made = await make()
    bob = await serve(replace(RULES, operator_scope="operate"), sub="bob")
    url = f"{URL_}/{made['schedule_id']}"

    answers = [
        await bob.patch(url, json={"paused": True}),
        await bob.delete(url),
        await bob.post(f"{url}/run"),
    ]

    assert [answer.status for answer in answers] == [403, 403, 403]
    assert (await bob.get(url)).status == 200
    assert await sql("SELECT is_paused FROM schedules") == [(False,)]


@pytest.mark.parametrize(
    ("query", "named"), [("limit=0", "limit"), ("cursor=x", "cursor"), ("name=x", "name")]
)
async def test_a_wrong_parameter_is_named(api, query, named):
    response = await api.get(f"{URL_}?{query}")

    assert list((await refusal(response))[1]) == [named]


async def test_methods(api, make):
    made = await make()
    one = f"{URL_}/{made['schedule_id']}"
    for url, allowed in ((URL_, "GET,HEAD,POST"), (one, "DELETE,GET,HEAD,PATCH")):
        head, got = await api.head(url), await api.get(url)

        assert (head.status, await head.read()) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
        for method in {"PUT", "POST", "PATCH", "DELETE", "OPTIONS"} - set(allowed.split(",")):
            refused = await api.request(method, url)
            assert (refused.status, refused.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "request_",
    [
        moving("search_query", from_date="last_success", to_date="yesterday"),
        moving("search_query", from_date="today-7d", to_date="today"),
        moving("oai", from_date="last_success"),
        moving("audit", from_date="today-30d", to_date="yesterday"),
    ],
)
async def test_dates_may_be_words_which_it_keeps(api, make, request_):
    made = await make(**request_)

    source = made["request"]["source"]
    own = "search_query" if source == "search" else source
    wanted = {n: v for n, v in request_["request"][own].items() if n.endswith("date")}
    assert {n: v for n, v in made["request"][own].items() if n.endswith("date")} == wanted


async def test_its_next_run_is_by_the_clocks_of_its_zone(api, make):
    made = await make(cron="30 4 * * *", timezone="Asia/Kolkata")
    url = f"{URL_}/{made['schedule_id']}"

    changed = await (await api.patch(url, json={"timezone": "Asia/Kathmandu"})).json()

    assert (made["timezone"], changed["timezone"]) == ("Asia/Kolkata", "Asia/Kathmandu")
    assert made["next_run_at"].endswith("T23:00:00Z")
    assert changed["next_run_at"].endswith("T22:45:00Z")


async def test_it_runs_now_once_for_each_key(api, make, sql):
    made = await make(paused=True, **moving("search_query", from_date="today-7d"))
    url = f"{URL_}/{made['schedule_id']}"
    key = {"Idempotency-Key": "once"}

    first, *others = await asyncio.gather(
        *(api.post(f"{url}/run", headers=key, json={}) for _ in range(4))
    )
    document = await first.json()
    bodies = [await other.json() for other in others]
    job = await (await api.get(first.headers["Location"])).json()
    shown = await (await api.get(url)).json()

    assert {answer.status for answer in (first, *others)} == {202}
    assert list(document) == ["job_id"]
    assert bodies == [document] * 3
    replays = [answer.headers.get("Idempotent-Replayed") for answer in (first, *others)]
    assert sorted(map(str, replays)) == ["None", "true", "true", "true"]
    assert job["job_id"] == document["job_id"] == shown["last_job_id"]
    assert (shown["next_run_at"], shown["last_run_at"] is None) == (None, False)
    ((request, caller),) = await sql("SELECT request, requested_by FROM jobs")
    assert request["search_query"]["from_date"].isdigit()
    assert caller == "alice"


async def test_it_does_not_run_while_its_last_job_is_unfinished(api, make, sql):
    made = await make()
    run = f"{URL_}/{made['schedule_id']}/run"
    first = await api.post(run)

    refused = await refusal(await api.post(run))
    await sql(END)
    second = await api.post(run)

    assert (first.status, second.status) == (202, 202)
    assert refused == (409, "The last job of the schedule is pending")


async def test_a_key_that_named_something_else_is_refused(api, make):
    one, other = await make(name="one"), await make(name="other")
    key = {"Idempotency-Key": "k"}
    await api.post(f"{URL_}/{one['schedule_id']}/run", headers=key)

    answers = [
        await api.post(f"{URL_}/{other['schedule_id']}/run", headers=key),
        await api.post("/api/v1/ingestion/arxiv", headers=key, json={**REQUEST, "max_papers": 1}),
    ]

    told = (422, "this Idempotency-Key was used with another request")
    assert [await refusal(answer) for answer in answers] == [told, told]


async def test_a_run_counts_against_the_quota_of_who_asks(serve, make, sql):
    made = await make()
    await sql("INSERT INTO jobs (requested_by) VALUES ('bob')")
    bob = await serve(sub="bob", bounds=Bounds(jobs_per_caller=1))

    answer = await bob.post(f"{URL_}/{made['schedule_id']}/run")

    assert (answer.status, (await answer.json())["code"]) == (429, "quota_exceeded")


async def test_its_jobs_are_listed_newest_first_in_pages(api, make, sql):
    made = await make()
    url = f"{URL_}/{made['schedule_id']}"
    ran = []
    for _ in range(3):
        ran.append((await (await api.post(f"{url}/run")).json())["job_id"])
        await sql(END)
    await api.post("/api/v1/ingestion/arxiv", json=REQUEST)

    found, page = [], f"{url}/jobs?limit=2"
    while page is not None:
        response = await api.get(page)
        found.append([one["job_id"] for one in await response.json()])
        link = response.links.get("next")
        page = None if link is None else URL(str(link["url"])).relative()
    filtered = await api.get(f"/api/v1/ingestion/jobs?schedule_id={made['schedule_id']}&status=all")

    assert found == [ran[:0:-1], ran[:1]]
    assert [one["job_id"] for one in await filtered.json()] == ran[::-1]
    assert list((await refusal(await api.get(f"{url}/jobs?cursor=x")))[1]) == ["cursor"]
