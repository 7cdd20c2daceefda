"""Who gets in: nobody but the bearer of one good token, in one header, of an active caller."""

import base64
import dataclasses
import json
import logging
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.api.tokens import TokenRules, issue
from tests.api.conftest import RULES, bearer, is_problem, token

URL = "/api/v1/ingestion/jobs"
PARTED = dataclasses.replace(RULES, issuer="us", audience="ingestion")


def unsigned(header: Any, claims: Any = None, signature: bytes = b"x") -> str:
    """A token of any header, with no good signature."""
    claims = {"sub": "alice", "exp": int(time()) + 600} if claims is None else claims
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed(payload: str) -> str:
    """A well-signed token whose claims are this very text."""
    return jwt.api_jws.encode(payload.encode(), RULES.key, algorithm="HS256")


@pytest.fixture
async def anybody(serve: Any) -> Any:
    return await serve(sub=None)


async def refused(client: Any, headers: Any, path: str = URL) -> bytes:
    """The body of the refusal, which must be a proper one."""
    response = await client.get(path, headers=headers)
    body = await response.read()
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert is_problem(response, json.loads(body))
    assert "X-Injected" not in response.headers
    return body


async def allowed(client: Any, headers: Any) -> bool:
    return (await client.get(URL, headers=headers)).status == 200


async def test_a_good_token_gets_in(anybody):
    assert await allowed(anybody, bearer(token()))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
async def test_the_scheme_is_known_in_any_case(anybody, scheme):
    assert await allowed(anybody, {"Authorization": f"{scheme} {token()}"})


HEADERS = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer  {}",
    "Bearer\t{}",
    "BearerFOO {}",
    "Bearer {} x",
    "Bearer {}, Bearer {}",
    "Basic x",
    "Basic {}",
    "{}",
    "Bearer a.b",
    "Bearer a.b.c",
    "Bearer ...",
    "Bearer é.ü.ß",
    "Bearer {}=",
    "Bearer " + "a" * 8000,
    "Bearer a.b." + "c" * 8000,
    "Token {}",
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda text: repr(text[:24]))
async def test_any_other_header_is_refused(anybody, header):
    good = token()

    body = await refused(anybody, {"Authorization": header.replace("{}", good)})

    assert good.encode() not in body


async def test_no_header_is_refused(anybody):
    await refused(anybody, {})


async def test_two_headers_are_refused(anybody):
    await refused(anybody, [("Authorization", f"Bearer {token()}")] * 2)


@pytest.mark.parametrize("name", ["access_token", "token", "jwt"])
async def test_a_token_in_the_url_is_none(anybody, name):
    await refused(anybody, {}, path=f"{URL}?{name}={token()}")


@pytest.mark.parametrize(
    "crit",
    ["a\r\nX-Injected: 1", "a\nb", "\ud800", "<script>alert(1)</script>", "A" * 4000],
    ids=lambda text: repr(text[:12]),
)
async def test_hostile_token_headers_come_back_nowhere(anybody, crit):
    body = await refused(anybody, bearer(unsigned({"alg": "HS256", "crit": [crit]})))

    assert b"script" not in body
    assert b"AAAA" not in body
    assert len(body) < 200


@pytest.mark.parametrize("alg", ["none", "NoNe", "None", ["HS256"], {}, 1, None, "", "HS256 "])
async def test_another_algorithm_in_the_header_is_refused(anybody, alg):
    header = {"alg": alg} if alg is not None else {"typ": "JWT"}

    await refused(anybody, bearer(unsigned(header)))
    await refused(anybody, bearer(unsigned(header, signature=b"")))


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
async def test_the_right_secret_with_another_hash_is_refused(anybody, alg):
    long = dataclasses.replace(RULES, key="k" * 64)

    await refused(anybody, bearer(token(algorithm=alg, key=RULES.key + "x" * 32)))
    await refused(anybody, bearer(jwt.encode({"sub": "a"}, long.key, algorithm=alg)))


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
async def test_a_token_of_a_key_pair_is_refused(anybody, alg):
    key = _rsa() if alg == "RS256" else ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": "alice", "exp": int(time()) + 600}

    await refused(anybody, bearer(jwt.encode(claims, key, algorithm=alg)))


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "kid"])
async def test_keys_named_by_the_token_are_not_looked_at(anybody, header):
    bad = jwt.encode(
        {"sub": "alice", "exp": int(time()) + 60},
        "another secret of more than 32 bytes!!",
        algorithm="HS256",
        headers={header: "http://127.0.0.1:9/key"},
    )

    await refused(anybody, bearer(bad))


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def test_a_public_key_verifies_tokens_and_signs_none(serve):
    key = _rsa()
    pem = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    client = await serve(TokenRules(key=pem, algorithm="RS256"), sub=None)
    claims = {"sub": "alice", "exp": int(time()) + 600}

    assert await allowed(client, bearer(jwt.encode(claims, key, algorithm="RS256")))
    await refused(client, bearer(jwt.encode(claims, "x" * 32, algorithm="HS256")))
    await refused(client, bearer(unsigned({"alg": "HS256"})))


NOW = int(datetime.now(UTC).timestamp())
BAD_CLAIMS = {
    "no exp": {"exp": None},
    "long expired": {"exp": NOW - 100},
    "a list": {"exp": [1]},
    "an object": {"exp": {}},
    "true": {"exp": True},
    "text": {"exp": "tomorrow"},
    "a number as text": {"exp": str(NOW + 1000)},
    "too far ahead": {"exp": NOW + 86_400 + 700},
    "not yet": {"nbf": NOW + 1000},
    "issued tomorrow": {"iat": NOW + 1000},
    "no sub": {"sub": None},
    "an empty sub": {"sub": ""},
    "a number as sub": {"sub": 1},
    "a list as sub": {"sub": ["alice"]},
    "a long sub": {"sub": "a" * 256},
    "a sub of two lines": {"sub": "a\nb"},
    "a sub with NUL": {"sub": "a\u0000"},
    "an audience of others": {"aud": "others"},
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
async def test_bad_claims_are_refused(anybody, claims):
    base = {"sub": "alice", "exp": NOW + 600}
    document = {name: value for name, value in {**base, **claims}.items() if value is not None}

    await refused(anybody, bearer(signed(json.dumps(document))))


@pytest.mark.parametrize(
    "payload",
    [
        '{"sub": "alice", "exp": null}',
        '{"sub": "alice", "exp": 1e400}',
        '{"sub": "alice", "exp": -1e400}',
        '{"sub": "alice", "exp": NaN}',
        '{"sub": "alice", "exp": "' + "9" * 5000 + '"}',
        '{"sub": "alice", "exp": ' + "9" * 4000 + "}",
        '{"sub": null, "exp": 9999999999}',
        '"alice"',
        "[]",
        "null",
        "not json",
        "[" * 5000,
        "",
    ],
    ids=lambda text: repr(text[:30]),
)
async def test_claims_that_are_no_claims_are_refused(anybody, payload):
    await refused(anybody, bearer(signed(payload)))


async def test_a_clock_may_be_off_by_the_leeway(serve):
    client = await serve(dataclasses.replace(RULES, leeway=30), sub=None)

    assert await allowed(client, bearer(token(exp=int(time()) - 10)))
    assert await allowed(client, bearer(token(nbf=int(time()) + 10)))
    await refused(client, bearer(token(exp=int(time()) - 60)))
    await refused(client, bearer(token(nbf=int(time()) + 60)))


async def test_without_leeway_every_second_counts(serve):
    client = await serve(dataclasses.replace(RULES, leeway=0), sub=None)

    await refused(client, bearer(token(exp=int(time()) - 1)))


async def test_a_lifetime_may_be_as_long_as_the_maximum(anybody):
    assert await allowed(anybody, bearer(token(exp=int(time()) + 86_400)))


@pytest.mark.parametrize("aud", ["ingestion", ["others", "ingestion"]])
async def test_our_issuer_and_audience_get_in(serve, aud):
    client = await serve(PARTED, sub=None)

    assert await allowed(client, bearer(token(iss="us", aud=aud)))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "us"},
        {"iss": "us", "aud": "others"},
        {"iss": "us", "aud": []},
        {"iss": "us", "aud": [["ingestion"]]},
        {"iss": "us", "aud": "ingestion,others"},
        {"aud": "ingestion"},
        {"iss": "them", "aud": "ingestion"},
        {"iss": "", "aud": "ingestion"},
        {"iss": "US", "aud": "ingestion"},
    ],
    ids=str,
)
async def test_another_issuer_or_audience_is_refused(serve, claims):
    client = await serve(PARTED, sub=None)

    await refused(client, bearer(token(**claims)))


async def test_a_late_token_of_another_audience_is_not_let_in_by_the_leeway(serve):
    client = await serve(PARTED, sub=None)

    await refused(client, bearer(token(exp=int(time()) - 2, iss="us", aud="others")))
    await refused(client, bearer(token(exp=int(time()) - 2, iss="them", aud="ingestion")))


async def test_issued_tokens_get_in(serve):
    client = await serve(PARTED, sub=None)

    assert await allowed(client, bearer(issue(PARTED, sub="alice", ttl_seconds=60)))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(anybody, path):
    assert (await anybody.get(path)).status == 200


@pytest.mark.parametrize("path", ["/healthz/", "/HEALTHZ", "/healthzx", "/healthz%2F..%2Fjobs"])
async def test_what_looks_like_a_probe_is_nothing(anybody, path):
    assert (await anybody.get(path)).status in (401, 404)


async def test_nothing_is_written_without_a_token(anybody, sql):
    body = {"search_query": {"category": "cs.AI"}}

    response = await anybody.post("/api/v1/ingestion/arxiv", json=body)

    assert response.status == 401
    assert await sql("SELECT * FROM jobs") == []


async def test_failures_leave_little_in_the_log_and_never_the_token(anybody, caplog):
    caplog.set_level(logging.DEBUG)
    bad = [token(key="another secret of more than 32 bytes!!"), token(exp=1), "a.b.c"]

    with structlog.testing.capture_logs() as ours:
        for text in bad * 10:
            await refused(anybody, bearer(text))

    logged = caplog.text + json.dumps(ours, default=str)
    assert not any(text in logged for text in bad)
    assert not any(text.split(".")[1] in logged for text in bad[:2])
    assert len(logged.encode()) <= 300 * len(bad) * 10


async def test_a_thousand_bad_tokens_are_refused_quickly(anybody):
    bad = bearer(token(key="another secret of more than 32 bytes!!"))
    before = datetime.now(UTC)

    for _ in range(300):
        assert (await anybody.get(URL, headers=bad)).status == 401

    assert datetime.now(UTC) - before < timedelta(seconds=3)
