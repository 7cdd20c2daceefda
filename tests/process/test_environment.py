"""From the environment to what is done: settings of which no other test looks at the effect."""

import json
from time import time

import aiohttp
import jwt
import pytest
from aiohttp.test_utils import TestClient

from service.config.settings import Settings
from service.files.local import LocalStore
from service.jobs.tasks import HARVEST, PDF
from service.process.build_api import build_api
from service.process.build_worker import running_worker
from service.process.resources import pdf_store
from service.process.token_rules import token_rules
from tests.api.conftest import GOOD_BODY, OurServer, bearer
from tests.faults.processes import SECRET, said, serving

POST = "/api/v1/ingestion/arxiv"
JOBS = "/api/v1/ingestion/jobs"


@pytest.fixture
async def configured(rig):
    """The API of a process with these variables, and nobody's token."""
    clients = []

    async def configured(**variables):
        settings = Settings.from_environ(rig.environment(JWT_SECRET=SECRET, **variables))
        store = LocalStore(rig.folder / "files", max_bytes=1000)
        await store.prepare()
        app = build_api(token_rules(settings, settings.jwt_keys), rig.database, store)
        clients.append(TestClient(OurServer(app)))
        await clients[-1].start_server()
        return clients[-1]

    yield configured
    for client in clients:
        await client.close()


def token(sub="alice", *, ends_in=600, **claims):
    claims = {"sub": sub, "exp": int(time()) + ends_in, **claims}
    return bearer(jwt.encode(claims, SECRET, algorithm="HS256"))


async def status(api, method, path, headers, **more):
    return (await api.request(method, path, headers=headers, **more)).status


async def test_jwt_write_scope_is_asked_of_who_changes_something(configured):
    for variables, expected in ({}, 202), ({"JWT_WRITE_SCOPE": "ingest"}, 403):
        api = await configured(**variables)
        post = {"method": "POST", "path": POST, "json": GOOD_BODY}
        assert await status(api, headers=token(), **post) == expected
        assert await status(api, headers=token(scope="ingest"), **post) == 202
        assert await status(api, "GET", JOBS, token()) == 200


async def test_jwt_operator_scope_is_asked_of_who_changes_what_is_anothers(configured):
    for variables, expected in ({}, 200), ({"JWT_OPERATOR_SCOPE": "operate"}, 403):
        api = await configured(**variables)
        for scopes, wanted in ({}, expected), ({"scope": "operate"}, 200):
            response = await api.post(POST, json=GOOD_BODY, headers=token("alice"))
            job_id = (await response.json())["job_id"]
            path = f"/api/v1/ingestion/job/{job_id}"
            assert await status(api, "DELETE", path, token("bob", **scopes)) == wanted


async def test_jwt_leeway_seconds_is_how_late_a_token_may_be(configured):
    for seconds, expected in ("300", 200), ("0", 401):
        api = await configured(JWT_LEEWAY_SECONDS=seconds)
        assert await status(api, "GET", JOBS, token(ends_in=-100)) == expected


async def test_arxiv_contact_is_told_to_arxiv(rig):
    async with rig.worker(ARXIV_CONTACT="ops@example.org"):
        await rig.final(await rig.submit())

    agents = {request.user_agent for request in rig.replica.log.since()}
    assert len(agents) == 1
    assert "ops@example.org" in agents.pop()


async def test_pdf_fleet_concurrency_bounds_pdfs_alone(rig):
    """What the engine makes of the bound is tested in tests/worker."""
    environ = rig.environment(PDF_CONCURRENCY="4", PDF_FLEET_CONCURRENCY="3")
    settings = Settings.from_environ(environ)
    await pdf_store(settings).prepare()
    async with running_worker(settings, rig.url) as worker:
        kinds = {kind.name: kind for kind in worker.engine.kinds}
        await worker.drain(5)

    assert (kinds[PDF].concurrency, kinds[PDF].fleet_concurrency) == (4, 3)
    assert kinds[HARVEST].fleet_concurrency == 0


async def test_max_connections_are_served_and_the_next_is_refused(rig, tools):
    """Two that say nothing, and the third is told so at once."""
    async with serving(rig, tools, MAX_CONNECTIONS="2") as (_, url, client):
        await client.close()
        held = [aiohttp.ClientSession() for _ in range(2)]
        try:
            for session in held:
                async with session.get(f"{url}/healthz") as answer:
                    assert answer.status == 200
            async with aiohttp.ClientSession() as third, third.get(f"{url}/healthz") as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "overloaded")
        finally:
            for session in held:
                await session.close()
        await said(rig, "connections refused")


@pytest.mark.parametrize("form", ["json", "console"])
async def test_log_format_is_how_lines_are_written(rig, tools, form):
    async with serving(rig, tools, LOG_FORMAT=form):
        pass

    lines = (rig.folder / "serve.log").read_text().splitlines()
    (line,) = [line for line in lines if "listening" in line]
    if form == "json":
        assert json.loads(line)["event"] == "listening"
    else:
        assert not line.startswith("{")
