"""The state of the fleet, and the stop of all requests to arXiv."""

import dataclasses
import shutil
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from service.api.handlers.health import READINESS
from service.api.schemas.fleet import FleetSchema
from service.db.rate_limits import RateLimitStore
from service.db.workers import WorkerStore
from service.domain.channels import Channel
from tests.api.conftest import RULES, bearer, is_problem, token

FLEET = "/api/v1/fleet"
PAUSE, RESUME = "/api/v1/arxiv/pause", "/api/v1/arxiv/resume"


async def fleet(api):
    response = await api.get(FLEET)
    assert response.status == 200
    found = await response.json()
    assert list(found) == ["at", "workers", "queue", "channels", "storage", "database"]
    assert FleetSchema().validate(found) == {}
    return found


async def test_a_fleet_of_nobody(api):
    found = await fleet(api)

    assert (found["workers"], found["queue"]) == ([], [])
    assert [one["state"] for one in found["channels"]] == ["available"] * 3
    assert [one["channel"] for one in found["channels"]] == ["api", "pdf", "html"]
    assert {one["since"] for one in found["channels"]} == {None}
    assert (found["storage"], found["database"]) == ("available", "available")


async def test_workers_queue_and_an_outage_are_shown(api, database, sql):
    async with database.transaction() as conn:
        facts = {"host": "here", "pid": 7, "version": "1", "tasks": 3}
        await WorkerStore(conn).beat(uuid4(), lease=timedelta(seconds=100), **facts)
        await WorkerStore(conn).beat(uuid4(), lease=timedelta(seconds=100), **facts)
        pause = timedelta(seconds=30)
        await RateLimitStore(conn).fail(Channel.PDF, "refused", third=pause, probe=pause)
    await sql(
        "UPDATE workers SET heartbeat_at = now() - interval '201 s' WHERE id IN"
        " (SELECT id FROM workers LIMIT 1)"
    )
    await sql(
        "INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)"
        " VALUES (1, 'queued', 'pdf', now() - interval '90 s'), (1, 'picked', 'pdf', now())"
    )

    found = await fleet(api)

    (worker,), (queue,) = found["workers"], found["queue"]
    assert {name: worker[name] for name in facts} == facts
    assert (queue["kind"], queue["queued"], queue["running"]) == ("pdf", 1, 1)
    assert queue["oldest_due_seconds"] >= 90
    api_channel, pdf_channel, _ = found["channels"]
    assert (api_channel["state"], api_channel["answers"]) == ("available", True)
    assert (pdf_channel["state"], pdf_channel["answers"]) == ("unavailable", False)
    assert datetime.fromisoformat(pdf_channel["since"]).tzinfo is not None


async def test_a_storage_that_is_gone_is_shown(api, tmp_path):
    shutil.rmtree(tmp_path / "files")

    assert (await fleet(api))["storage"] == "unavailable"


async def test_a_pause_stops_every_channel_and_both_are_repeatable(api):
    api.app[READINESS].kept = timedelta(0)
    first = await (await api.post(PAUSE)).json()
    second = await (await api.post(PAUSE)).json()
    paused = await fleet(api)
    warned = (await (await api.get("/readyz")).json())["warnings"]
    resumed = [await (await api.post(RESUME)).json() for _ in range(2)]
    after = await fleet(api)
    calm = (await (await api.get("/readyz")).json())["warnings"]

    assert first == second == {"paused": True, "since": first["since"]}
    assert {(one["state"], one["since"]) for one in paused["channels"]} == {
        ("paused", first["since"])
    }
    assert {"code": "arxiv_paused", "since": first["since"]} in warned
    assert resumed == [{"paused": False, "since": None}] * 2
    assert {one["state"] for one in after["channels"]} == {"available"}
    assert "arxiv_paused" not in {one["code"] for one in calm}


@pytest.mark.parametrize("path", [PAUSE, RESUME])
@pytest.mark.parametrize(("scope", "expected"), [("operate", 200), ("read", 403), (None, 403)])
async def test_with_an_operator_scope_it_is_needed(serve, path, scope, expected):
    api = await serve(dataclasses.replace(RULES, operator_scope="operate"), sub=None)

    response = await api.post(path, headers=bearer(token(scope=scope)))

    assert response.status == expected
    if expected == 403:
        assert is_problem(response, await response.json(content_type=None))


async def test_both_need_a_token(serve):
    anybody = await serve(sub=None)

    assert [(await anybody.post(path)).status for path in (PAUSE, RESUME)] == [401, 401]
    assert (await anybody.get(FLEET)).status == 401


async def test_cooldowns_and_outages_are_warnings_since_the_first_channel(api, sql):
    api.app[READINESS].kept = timedelta(0)
    await sql(
        "UPDATE upstream_pace SET failures = 1, failing_since = CASE lane WHEN 'api'"
        " THEN timestamptz '2026-01-02 00:00Z' ELSE timestamptz '2026-01-01 00:00Z' END"
        " WHERE lane <> 'html'"
    )
    both = await (await api.get("/readyz")).json()
    await sql(
        "UPDATE upstream_pace SET silent_until = now() + interval '1 hour',"
        " cooldown_since = timestamptz '2026-01-03 00:00Z' WHERE lane = 'pdf'"
    )
    one_cools = await (await api.get("/readyz")).json()
    await sql("UPDATE upstream_pace SET silent_until = NULL, failing_since = NULL, failures = 0")
    calm = await (await api.get("/readyz")).json()

    assert warnings(both) == {"arxiv_unavailable": "2026-01-01T00:00:00Z"}
    assert warnings(one_cools) == {
        "arxiv_unavailable": "2026-01-02T00:00:00Z",
        "arxiv_cooldown": "2026-01-03T00:00:00Z",
    }
    assert warnings(calm) == {}


def warnings(document):
    found = {one["code"]: one["since"] for one in document["warnings"]}
    return {code: since for code, since in found.items() if code.startswith("arxiv_")}
