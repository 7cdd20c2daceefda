"""What tokens may be, apart from the cases of tests/faults/test_a_*.py."""

import dataclasses
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from service.auth.tokens import TokenRules, issue
from tests.api.conftest import GOOD_BODY, RULES, bearer, token

URL = "/api/v1/ingestion/jobs"
PARTED = dataclasses.replace(RULES, issuer="us", audience="ingestion", key_ids=("new",))


@pytest.fixture
async def anybody(serve: Any) -> Any:
    return await serve(sub=None)


async def status(client: Any, headers: Any) -> int:
    return (await client.get(URL, headers=headers)).status


def pem_of(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


async def test_public_keys_verify_tokens_and_sign_none(serve):
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    first, second = map(pem_of, keys)
    rules = TokenRules(key=first, other_keys=(second,), algorithm="RS256")
    client = await serve(rules, sub=None)
    claims = {"sub": "alice", "exp": int(time()) + 600}

    for key in keys:
        assert await status(client, bearer(jwt.encode(claims, key, algorithm="RS256"))) == 200
    assert await status(client, bearer(jwt.encode(claims, "x" * 32, algorithm="HS256"))) == 401


async def test_a_clock_may_be_off_by_the_leeway(serve):
    client = await serve(dataclasses.replace(RULES, leeway=30), sub=None)

    assert await status(client, bearer(token(exp=int(time()) - 10))) == 200
    assert await status(client, bearer(token(nbf=int(time()) + 10))) == 200
    assert await status(client, bearer(token(exp=int(time()) - 60))) == 401
    assert await status(client, bearer(token(nbf=int(time()) + 60))) == 401


async def test_a_lifetime_may_be_as_long_as_the_maximum(anybody):
    assert await status(anybody, bearer(token(exp=int(time()) + 86_400))) == 200


async def test_a_late_token_of_another_audience_is_not_let_in_by_the_leeway(serve):
    client = await serve(PARTED, sub=None)
    late = int(time()) - 2

    assert await status(client, bearer(token(exp=late, iss="us", aud="others"))) == 401
    assert await status(client, bearer(token(exp=late, iss="them", aud="ingestion"))) == 401
    assert await status(client, bearer(token(exp=late, iss="us", aud="ingestion"))) == 200


async def test_issued_tokens_get_in(serve):
    client = await serve(PARTED, sub=None)
    text = issue(PARTED, sub="alice", ttl_seconds=60)

    assert await status(client, bearer(text)) == 200
    assert jwt.get_unverified_header(text)["kid"] == "new"


OPERATED = dataclasses.replace(RULES, operator_scope="operate")


@pytest.mark.parametrize(
    ("sub", "scope", "expected"),
    [("alice", None, 200), ("bob", None, 403), ("bob", "operate", 200), ("bob", "x operate", 200)],
)
async def test_with_an_operator_scope_others_jobs_need_it(serve, sub, scope, expected):
    api = await serve(OPERATED, sub=None)
    created = await api.post(
        "/api/v1/ingestion/arxiv", json=GOOD_BODY, headers=bearer(token(sub="alice"))
    )

    headers = bearer(token(sub=sub, scope=scope))
    cancelled = await api.delete(created.headers["Location"], headers=headers)
    seen = await api.get(created.headers["Location"], headers=headers)

    assert cancelled.status == expected
    assert (await seen.json())["status"] == ("cancelled" if expected == 200 else "pending")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(anybody, path):
    assert (await anybody.get(path)).status == 200


@pytest.mark.parametrize("path", ["/healthz/", "/HEALTHZ", "/healthzx", "/healthz%2F..%2Fjobs"])
async def test_what_looks_like_a_probe_is_nothing(anybody, path):
    assert (await anybody.get(path)).status in (401, 404)
