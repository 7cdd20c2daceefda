"""A good token is remembered, and judged by the clock at every use all the same."""

import dataclasses
from typing import Any

import jwt
import pytest

from service.auth.tokens import Tokens
from service.domain.errors import Unauthenticated
from tests.api.conftest import RULES, bearer, token

NOW = 1_800_000_000
STRICT = dataclasses.replace(RULES, leeway=2, max_lifetime=1000)


class Clock:
    """A clock that stands where the test puts it; the library's own is `time`."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(NOW)

    class Moment(jwt.api_jwt.datetime):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(clock.now, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", Moment)
    return clock


async def test_a_good_token_is_decoded_once(clock):
    tokens = Tokens(STRICT, clock=clock)
    text = token(exp=NOW + 60)

    learnt = await tokens.verify("Bearer " + text, text)

    assert tokens.cached("Bearer " + text) is learnt
    assert tokens.cached(text) is None


@pytest.mark.parametrize("late", [2, 3, 1000])
async def test_a_remembered_token_ends_with_its_leeway(clock, late):
    tokens = Tokens(STRICT, clock=clock)
    text = token(exp=NOW + 60)
    await tokens.verify(text, text)

    clock.now = NOW + 61.9
    in_time = tokens.cached(text)
    clock.now = NOW + 60 + late

    assert in_time is not None
    assert tokens.cached(text) is None
    with pytest.raises(Unauthenticated):
        await tokens.verify(text, text)


@pytest.mark.parametrize("claims", [{"nbf": NOW - 10}, {"iat": NOW - 10}, {"exp": NOW + 990}])
async def test_a_remembered_token_is_not_good_before_it_begins(clock, claims):
    """The clock was set back: what is too early now is refused, remembered or not."""
    tokens = Tokens(STRICT, clock=clock)
    text = token(**{"exp": NOW + 60, **claims})
    await tokens.verify(text, text)

    clock.now = NOW - 13

    assert tokens.cached(text) is None
    with pytest.raises(Unauthenticated):
        await tokens.verify(text, text)


async def test_a_bad_token_is_not_remembered(clock):
    tokens = Tokens(STRICT, clock=clock)
    forged = token(key="another secret of more than 32 bytes!!", exp=NOW + 60)

    with pytest.raises(Unauthenticated):
        await tokens.verify(forged, forged)

    assert tokens.cached(forged) is None


async def test_memory_is_bounded_and_keeps_what_is_used(clock):
    tokens = Tokens(STRICT, clock=clock, most_remembered=2)
    first, second, third = (token(sub=name, exp=NOW + 60) for name in "abc")
    await tokens.verify(first, first)
    await tokens.verify(second, second)
    assert tokens.cached(first)

    await tokens.verify(third, third)

    assert tokens.cached(first)
    assert tokens.cached(second) is None


async def test_what_looks_like_a_remembered_header_is_not_it(serve):
    api = await serve(sub=None)
    text = token()
    assert (await api.get("/api/v1/ingestion/jobs", headers=bearer(text))).status == 200

    for header in (f"Bearer  {text}", f"BearerFOO {text}", text, f"Bearer {text[:-1]}"):
        raw = {"Authorization": header}
        assert (await api.get("/api/v1/ingestion/jobs", headers=raw)).status == 401, header
