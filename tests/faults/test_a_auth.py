"""Group A of the fault list, 1 to 10: nobody but the bearer of one good token gets in."""

import base64
import dataclasses
import json
import re
from datetime import UTC, datetime
from time import time
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.api.conftest import GOOD_BODY, PREFIX, RULES, bearer, is_problem, token

JOBS = f"{PREFIX}/jobs"
SUBMIT = f"{PREFIX}/arxiv"
PARTED = dataclasses.replace(RULES, issuer="us", audience="ingestion")


def unsigned(header: Any, signature: bytes = b"x") -> str:
    """A token of any header, with no good signature."""
    claims = {"sub": "alice", "exp": int(time()) + 600}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed(payload: str) -> str:
    """A well-signed token whose claims are this very text."""
    return jwt.api_jws.encode(payload.encode(), RULES.key, algorithm="HS256")


@pytest.fixture
async def anybody(serve: Any) -> Any:
    return await serve(sub=None)


HINTS = re.compile(r'Bearer error="invalid_token", error_description="[A-Za-z ]{10,60}"')
REQUEST_ID = re.compile(rb'"request_id":"[A-Za-z0-9-]+"')


async def refused(client: Any, headers: Any, path: str = JOBS) -> bytes:
    """The body of the refusal, which must be a proper one."""
    response = await client.get(path, headers=headers)
    body = await response.read()
    assert response.status == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge == "Bearer" or HINTS.fullmatch(challenge)
    assert is_problem(response, json.loads(body))
    assert "X-Injected" not in response.headers
    assert response.reason == "Unauthorized"
    return body


async def allowed(client: Any, headers: Any) -> bool:
    return (await client.get(JOBS, headers=headers)).status == 200


async def test_case_01_no_token_is_refused_and_writes_nothing(anybody, sql):
    await refused(anybody, {})

    response = await anybody.post(SUBMIT, json=GOOD_BODY)

    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert await sql("SELECT * FROM jobs") == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_case_02_the_scheme_is_known_in_any_case(anybody, scheme):
    assert await allowed(anybody, {"Authorization": f"{scheme} {token()}"})


@pytest.mark.parametrize("scheme", ["BearerFOO", "Bearerer", "xBearer", "Bearer:", "Token"])
async def test_case_03_another_scheme_is_refused(anybody, scheme):
    await refused(anybody, {"Authorization": f"{scheme} {token()}"})


CASE_04 = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer  {}",
    "Bearer\t{}",
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
]


@pytest.mark.parametrize("header", CASE_04, ids=lambda text: repr(text[:24]))
async def test_case_04_any_other_form_is_refused(anybody, header):
    good = token()

    body = await refused(anybody, {"Authorization": header.replace("{}", good)})

    assert good.encode() not in body


async def test_case_04_two_headers_are_refused(anybody):
    await refused(anybody, [("Authorization", f"Bearer {token()}")] * 2)


@pytest.mark.parametrize("crit", ["a\r\nX-Injected: 1", "a\nb", "\ud800"], ids=repr)
async def test_case_05_line_breaks_come_back_nowhere(anybody, crit, caplog):
    with structlog.testing.capture_logs() as ours:
        body = await refused(anybody, bearer(unsigned({"alg": "HS256", "crit": [crit]})))

    assert b"X-Injected" not in body
    assert "X-Injected" not in caplog.text + str(ours)


@pytest.mark.parametrize("crit", ["<script>alert(1)</script>", "A" * 4000], ids=lambda t: t[:8])
async def test_case_06_the_body_is_fixed(anybody, crit):
    body = await refused(anybody, bearer(unsigned({"alg": "HS256", "crit": [crit]})))

    other = await refused(anybody, {})
    assert REQUEST_ID.sub(b"", body) == REQUEST_ID.sub(b"", other)


@pytest.mark.parametrize("alg", ["none", "NoNe", "None", ["HS256"], {}, 1, None, "", "HS256 "])
async def test_case_07_another_algorithm_in_the_header_is_refused(anybody, alg):
    header = {"alg": alg} if alg is not None else {"typ": "JWT"}

    await refused(anybody, bearer(unsigned(header)))
    await refused(anybody, bearer(unsigned(header, signature=b"")))


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
async def test_case_07_the_right_secret_with_another_hash_is_refused(serve, alg):
    rules = dataclasses.replace(RULES, key="k" * 64)
    client = await serve(rules, sub=None)

    assert await allowed(client, bearer(token(key=rules.key)))
    await refused(client, bearer(token(key=rules.key, algorithm=alg)))


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
async def test_case_07_a_token_of_a_key_pair_is_refused(anybody, alg):
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = rsa_key if alg == "RS256" else ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": "alice", "exp": int(time()) + 600}

    await refused(anybody, bearer(jwt.encode(claims, key, algorithm=alg)))


NOW = int(datetime.now(UTC).timestamp())
CASE_08 = {
    "none": "",
    "null": '"exp": null,',
    "long expired": f'"exp": {NOW - 100},',
    "a list": '"exp": [1],',
    "an object": '"exp": {},',
    "true": '"exp": true,',
    "text": '"exp": "tomorrow",',
    "a number as text": f'"exp": "{NOW + 1000}",',
    "infinite": '"exp": 1e400,',
    "infinitely long ago": '"exp": -1e400,',
    "no number": '"exp": NaN,',
    "5,000 digits as text": '"exp": "' + "9" * 5000 + '",',
    "4,000 digits": '"exp": ' + "9" * 4000 + ",",
    "too far ahead": f'"exp": {NOW + 86_400 + 700},',
    "too far ahead, as a fraction": f'"exp": {NOW + 86_400 + 700}.5,',
    "not yet": f'"exp": {NOW + 600}, "nbf": {NOW + 1000},',
    "issued tomorrow": f'"exp": {NOW + 600}, "iat": {NOW + 86_400},',
}


@pytest.mark.parametrize("times", CASE_08.values(), ids=CASE_08.keys())
async def test_case_08_a_token_without_a_proper_end_is_refused(anybody, times):
    await refused(anybody, bearer(signed("{" + times + '"sub": "alice"}')))


async def test_case_08_expired_by_more_than_the_leeway(serve):
    client = await serve(dataclasses.replace(RULES, leeway=0), sub=None)

    await refused(client, bearer(token(exp=int(time()) - 1)))


@pytest.mark.parametrize("payload", ['"alice"', "[]", "null", "not json", "[" * 5000, ""])
async def test_case_08_claims_that_are_no_claims_are_refused(anybody, payload):
    await refused(anybody, bearer(signed(payload)))


@pytest.mark.parametrize("aud", ["ingestion", ["others", "ingestion"]], ids=str)
async def test_case_09_our_issuer_and_audience_get_in(serve, aud):
    client = await serve(PARTED, sub=None)

    assert await allowed(client, bearer(token(iss="us", aud=aud)))


CASE_09 = [
    {"iss": "us"},
    {"iss": "us", "aud": "others"},
    {"iss": "us", "aud": []},
    {"iss": "us", "aud": [["ingestion"]]},
    {"iss": "us", "aud": "ingestion,others"},
    {"aud": "ingestion"},
    {"iss": "them", "aud": "ingestion"},
    {"iss": "", "aud": "ingestion"},
    {"iss": "US", "aud": "ingestion"},
]


@pytest.mark.parametrize("claims", CASE_09, ids=str)
async def test_case_09_another_issuer_or_audience_is_refused(serve, claims):
    client = await serve(PARTED, sub=None)

    await refused(client, bearer(token(**claims)))


async def test_case_09_an_audience_is_refused_where_none_is_set(anybody):
    await refused(anybody, bearer(token(aud="others")))


CASE_10 = [None, "", 1, ["alice"], "a" * 256, "a\nb", "a\u0000"]


@pytest.mark.parametrize("sub", CASE_10, ids=lambda sub: repr(sub)[:12])
async def test_case_10_a_token_without_a_proper_subject_is_refused(anybody, sub):
    claims = {"exp": int(time()) + 600, "sub": sub}
    present = {name: value for name, value in claims.items() if value is not None}

    await refused(anybody, bearer(signed(json.dumps(present))))
