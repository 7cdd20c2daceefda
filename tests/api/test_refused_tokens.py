"""401: the log names every reason, the header only those that help an honest caller."""

import time

import jwt
import pytest
import structlog

from service.auth.tokens import TokenRules
from tests.api.conftest import PREFIX, RULES

JOBS = f"{PREFIX}/jobs"


def signed(key=None, **claims):
    now = int(time.time())
    whole = {"sub": "me", "iat": now, "exp": now + 600, **claims}
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(kept, key or RULES.key, algorithm=RULES.algorithm)


CASES = {  # the header, made when it is sent: a suite may take longer than a token lives
    "missing": (lambda _: None, None),
    "malformed": (lambda _: "Bearer x.y.z", None),
    "expired": (lambda now: bearer(exp=now - 3600), "The token has expired"),
    "not_yet_valid": (lambda now: bearer(nbf=now + 3600), "The token is not valid yet"),
    "no_expiry": (lambda _: bearer(exp=None), "The token has no expiry"),
    "lifetime_too_long": (
        lambda now: bearer(exp=now + 10**8),
        "The lifetime of the token is too long",
    ),
    "no_subject": (lambda _: bearer(sub=None), None),
    "bad_signature": (lambda _: bearer(key="another secret of more than 32 bytes!"), None),
}


def bearer(**changes):
    return f"Bearer {signed(**changes)}"


async def refusal(client, header):
    headers = {} if header is None else {"Authorization": header}
    async with client.get(JOBS, headers=headers) as answer:
        assert answer.status == 401
        assert (await answer.json())["code"] == "unauthenticated"
        return answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("reason", CASES)
async def test_a_refusal_is_logged_with_its_reason(serve, reason):
    header_at, hint = CASES[reason]
    header = header_at(int(time.time()))
    client = await serve(sub=None)

    with structlog.testing.capture_logs() as logs:
        challenge = await refusal(client, header)

    told = f'Bearer error="invalid_token", error_description="{hint}"' if hint else "Bearer"
    assert challenge == told
    assert [one.get("reason") for one in logs if one["event"] == "request answered"] == [reason]


@pytest.mark.parametrize(
    ("rules", "claims", "reason"),
    [
        ({"issuer": "us"}, {"iss": "them"}, "wrong_issuer"),
        ({"audience": "us"}, {"aud": "them"}, "wrong_audience"),
        ({"audience": "us"}, {}, "wrong_audience"),
        ({"key_ids": ("one",)}, {}, "unknown_key"),
    ],
)
async def test_so_is_one_by_issuer_audience_or_key(serve, rules, claims, reason):
    wanted = TokenRules(**{"key": RULES.key, "algorithm": RULES.algorithm, **rules})
    client = await serve(sub=None, rules=wanted)
    headers = {"kid": "two"} if reason == "unknown_key" else None
    now = int(time.time())
    token = jwt.encode({"sub": "me", "exp": now + 60, **claims}, RULES.key, headers=headers)

    with structlog.testing.capture_logs() as logs:
        challenge = await refusal(client, f"Bearer {token}")

    assert [one.get("reason") for one in logs if one["event"] == "request answered"] == [reason]
    assert (challenge == "Bearer") == (reason == "unknown_key")
