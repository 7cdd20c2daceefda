"""With JWT_WRITE_SCOPE set, what changes something needs that scope; reading does not."""

import time
from pathlib import Path

import jwt
import pytest

from service.api.tokens import TokenRules
from service.app import build_api
from service.pdf.store import LocalStore

KEY = "a secret of the test suite, long enough"
RULES = TokenRules(key=KEY, algorithm="HS256", write_scope="ingest")
BODY = {"search_query": {"category": "cs.AI"}}


@pytest.fixture
async def scoped(aiohttp_client, database, tmp_path: Path):
    store = LocalStore(tmp_path / "files", max_bytes=1_000_000)
    return await aiohttp_client(build_api(RULES, database, store))


def bearer(**claims):
    payload = {"sub": "caller", "exp": int(time.time()) + 60, **claims}
    return {"Authorization": "Bearer " + jwt.encode(payload, KEY, algorithm="HS256")}


@pytest.mark.parametrize("scope", ["ingest", "read ingest", "ingest read", ["read", "ingest"]])
async def test_the_scope_lets_a_caller_submit(scoped, scope):
    answer = await scoped.post("/api/v1/ingestion/arxiv", json=BODY, headers=bearer(scope=scope))

    assert answer.status == 202


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": ""},
        {"scope": "not-ingest"},
        {"scope": "ingestion"},
        {"scope": {"ingest": False}},
        {"scope": [["ingest"]]},
        {"scope": None},
        {"scope": True},
    ],
)
async def test_without_it_writing_is_forbidden_and_reading_is_not(scoped, claims):
    headers = bearer(**claims)
    unknown = "/api/v1/ingestion/job/123e4567-e89b-12d3-a456-426614174000"

    created = await scoped.post("/api/v1/ingestion/arxiv", json=BODY, headers=headers)
    deleted = await scoped.delete(unknown, headers=headers)
    listed = await scoped.get("/api/v1/ingestion/jobs", headers=headers)

    assert (created.status, deleted.status, listed.status) == (403, 403, 200)
    assert created.content_type == "application/problem+json"
    assert await listed.json() == []
