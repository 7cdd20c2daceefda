"""Webhooks over HTTP: subscriptions, deliveries, and who may change which."""

import pytest

from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import WebhookSettings, new_secret, parse_secrets
from tests.api.conftest import GOOD_BODY, JOB, PREFIX, RULES, bearer, is_problem, token

WEBHOOKS = "/api/v1/webhooks"
SETTINGS = WebhookSettings(
    secrets=(new_secret(),), targets=CallbackTargets.parse("127.0.0.1 hooks.example.org")
)
URL = "https://hooks.example.org/x"
UNKNOWN = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be1f2"


@pytest.fixture
async def api(serve):
    return await serve(webhooks=SETTINGS)


async def made(api, **changes):
    response = await api.post(WEBHOOKS, json={"url": URL, **changes})
    assert response.status == 201
    return await response.json()


async def test_a_subscription_is_made_and_its_secret_shown_once(api):
    response = await api.post(WEBHOOKS, json={"url": URL, "labels": {"team": "search"}})
    document = await response.json()

    assert response.status == 201
    assert parse_secrets(document.pop("secret"))
    assert response.headers["Location"] == f"{WEBHOOKS}/{document['webhook_id']}"
    assert document == {
        "webhook_id": document["webhook_id"],
        "url": URL,
        "events": ["job.completed", "job.failed", "job.cancelled"],
        "labels": {"team": "search"},
        "paused": False,
        "disabled_at": None,
        "disabled_reason": None,
        "created_by": "alice",
        "created_at": document["created_at"],
    }
    assert await (await api.get(WEBHOOKS)).json() == [document]
    assert await (await api.get(response.headers["Location"])).json() == document


async def test_the_list_has_pages(api):
    ids = [(await made(api))["webhook_id"] for _ in range(3)]

    first = await api.get(f"{WEBHOOKS}?limit=2")
    second = await api.get(first.links["next"]["url"].path_qs)

    pages = [*await first.json(), *await second.json()]
    assert [one["webhook_id"] for one in pages] == ids
    assert "Link" not in second.headers


async def test_it_is_changed_paused_and_enabled_again(api, sql):
    path = f"{WEBHOOKS}/{(await made(api))['webhook_id']}"
    await sql("UPDATE webhooks SET disabled_at = now(), disabled_reason = 'gone'")

    changed = await api.patch(path, json={"events": ["job.failed"], "paused": True})
    paused = await changed.json()
    enabled = await (await api.patch(path, json={"paused": False})).json()

    assert (paused["events"], paused["paused"]) == (["job.failed"], True)
    assert paused["disabled_reason"] == "gone"
    assert (enabled["paused"], enabled["disabled_at"], enabled["disabled_reason"]) == (
        *(False, None, None),
    )
    assert enabled["url"] == URL


async def test_it_is_removed_with_its_deliveries(api, sql):
    path = f"{WEBHOOKS}/{(await made(api))['webhook_id']}"
    await ended(api, sql)

    response = await api.delete(path)

    assert response.status == 200
    assert (await api.get(path)).status == 404
    assert await sql("SELECT 1 FROM webhook_deliveries") == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"url"}),
        ({"url": "http://hooks.example.org.evil/"}, {"url"}),
        ({"url": URL, "events": []}, {"events"}),
        ({"url": URL, "events": ["job.started"]}, {"events.0"}),
        ({"url": URL, "events": ["job.failed", "job.failed"]}, {"events"}),
        ({"url": URL, "labels": {"a b": "x"}}, {"labels"}),
        ({"url": URL, "labels": {"a": 1}}, {"labels"}),
        ({"url": URL, "secret": "mine"}, {"secret"}),
        ({"url": URL, "paused": "true"}, {"paused"}),
    ],
)
async def test_what_is_wrong_is_named(api, sql, body, fields):
    response = await api.post(WEBHOOKS, json=body)
    document = await response.json()

    assert response.status == 422
    assert set(document["errors"]) == fields
    assert await sql("SELECT 1 FROM webhooks") == []


async def test_a_caller_may_have_twenty(api):
    for _ in range(20):
        await made(api)

    response = await api.post(WEBHOOKS, json={"url": URL})

    assert response.status == 409
    other = bearer(token(sub="bob"))
    assert (await api.post(WEBHOOKS, json={"url": URL}, headers=other)).status == 201


async def ended(api, sql, **more):
    """A job of alice's that was cancelled; its id."""
    created = await api.post(f"{PREFIX}/arxiv", json={**GOOD_BODY, **more})
    assert created.status == 202, await created.text()
    job_id = (await created.json())["job_id"]
    assert (await api.delete(f"{PREFIX}/job/{job_id}")).status == 200
    return job_id


async def test_deliveries_are_listed_newest_first_by_job_and_status(api, sql):
    first = await ended(api, sql, callback_url=URL)
    second = await ended(api, sql, callback_url=URL)
    await sql(
        "UPDATE webhook_deliveries SET status = 'failed', error = 'timeout',"
        " next_attempt_at = NULL, ended_at = now() WHERE job_id = :job",
        job=first,
    )

    both = await (await api.get(f"{WEBHOOKS}/deliveries")).json()
    failed = await (await api.get(f"{WEBHOOKS}/deliveries?status=failed")).json()
    of_second = await (await api.get(f"{WEBHOOKS}/deliveries?job_id={second}")).json()
    page = await api.get(f"{WEBHOOKS}/deliveries?limit=1")

    assert [one["job_id"] for one in both] == [second, first]
    assert [one["job_id"] for one in failed] == [first]
    assert [one["job_id"] for one in of_second] == [second]
    assert of_second[0]["status"] == "pending"
    assert of_second[0]["subscription_id"] is None
    following = await (await api.get(page.links["next"]["url"].path_qs)).json()
    assert [one["job_id"] for one in following] == [first]


async def test_a_delivery_is_sent_again_in_place_of_one_that_waits(api, sql):
    await ended(api, sql, callback_url=URL)
    (waiting,) = await (await api.get(f"{WEBHOOKS}/deliveries")).json()

    response = await api.post(f"{WEBHOOKS}/deliveries/{waiting['delivery_id']}/resend")
    again = await response.json()

    assert response.status == 202
    assert (again["attempt"], again["status"]) == (2, "pending")
    assert again["webhook_id"] == waiting["webhook_id"]
    listed = await (await api.get(f"{WEBHOOKS}/deliveries")).json()
    assert [(one["attempt"], one["error"]) for one in listed] == [(2, None), (1, "superseded")]
    tasks = await sql("SELECT headers ->> 'job' AS job FROM pgqueuer WHERE entrypoint = 'webhook'")
    assert again["delivery_id"] in {task.job for task in tasks}


async def test_a_delivery_of_a_disabled_subscription_is_not_sent_again(api, sql):
    await made(api)
    await ended(api, sql)
    await sql("UPDATE webhooks SET disabled_at = now(), disabled_reason = 'gone'")
    (one,) = await (await api.get(f"{WEBHOOKS}/deliveries")).json()

    response = await api.post(f"{WEBHOOKS}/deliveries/{one['delivery_id']}/resend")

    assert response.status == 409


async def test_only_its_owner_or_an_operator_changes_it(serve, sql):
    rules = type(RULES)(key=RULES.key, algorithm="HS256", operator_scope="operate")
    api = await serve(rules, webhooks=SETTINGS)
    path = f"{WEBHOOKS}/{(await made(api))['webhook_id']}"
    await ended(api, sql, callback_url=URL)
    deliveries = await (await api.get(f"{WEBHOOKS}/deliveries")).json()
    paths = [f"{WEBHOOKS}/deliveries/{one['delivery_id']}/resend" for one in deliveries]
    bob, operator = bearer(token(sub="bob")), bearer(token(sub="eve", scope="operate"))

    assert len(paths) == 2
    assert (await api.patch(path, json={"paused": True}, headers=bob)).status == 403
    assert (await api.delete(path, headers=bob)).status == 403
    assert {(await api.post(one, headers=bob)).status for one in paths} == {403}
    assert {(await api.post(one, headers=operator)).status for one in paths} == {202}
    assert (await api.delete(path, headers=operator)).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", WEBHOOKS),
        ("POST", WEBHOOKS),
        ("GET", f"{WEBHOOKS}/{UNKNOWN}"),
        ("PATCH", f"{WEBHOOKS}/{UNKNOWN}"),
        ("DELETE", f"{WEBHOOKS}/{UNKNOWN}"),
        ("GET", f"{WEBHOOKS}/deliveries"),
        ("POST", f"{WEBHOOKS}/deliveries/{UNKNOWN}/resend"),
    ],
)
async def test_all_of_it_is_not_found_while_switched_off(serve, method, path):
    api = await serve()
    body = {} if method == "GET" else {"json": {"url": URL}}

    response = await api.request(method, path, **body)
    document = await response.json()

    assert is_problem(response, document)
    assert (response.status, document["code"]) == (404, "webhook_not_found")


async def test_a_callback_url_is_refused_while_switched_off(serve, sql):
    api = await serve()
    body = {**GOOD_BODY, "callback_url": URL}

    job = await api.post(f"{PREFIX}/arxiv", json=body)
    schedule = await api.post(
        "/api/v1/schedules", json={"name": "n", "cron": "0 3 * * *", "request": body}
    )

    assert (job.status, schedule.status) == (422, 422)
    assert set((await job.json())["errors"]) == {"callback_url"}
    assert set((await schedule.json())["errors"]) == {"request.callback_url"}
    assert await sql("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM schedules") == []


@pytest.mark.parametrize("text", [UNKNOWN, "x", JOB])
async def test_what_does_not_exist_is_not_found(api, text):
    for method, path in (
        ("GET", f"{WEBHOOKS}/{text}"),
        ("DELETE", f"{WEBHOOKS}/{text}"),
        ("POST", f"{WEBHOOKS}/deliveries/{text}/resend"),
    ):
        response = await api.request(method, path)
        assert (response.status, (await response.json())["code"]) == (404, "webhook_not_found")
