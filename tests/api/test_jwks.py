"""Keys behind a URL: found by name, looked at seldom, kept while it is unavailable."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.auth import jwks
from service.auth.jwks import KeySet
from service.auth.keys import published
from service.auth.tokens import TokenRules
from service.domain.errors import KeysUnavailable
from tests.api.conftest import bearer

URL = "/api/v1/ingestion/jobs"
JOB = "/api/v1/ingestion/job/123e4567-e89b-12d3-a456-426614174000"
OLD, NEW, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def as_jwk(key: Any, **more: Any) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    name = {ec.EllipticCurvePrivateKey: "ES256", rsa.RSAPrivateKey: "RS256"}
    algorithm = next((a for kind, a in name.items() if isinstance(key, kind)), "EdDSA")
    known = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in {**known, **more}.items() if value is not None}


def signed(key: Any, kid: str | None = None, **claims: Any) -> dict[str, str]:
    """The header of a good token that `key` has signed."""
    known = {"sub": "alice", "exp": int(time()) + 600, **claims}
    headers = {} if kid is None else {"kid": kid}
    return bearer(jwt.encode(known, key, algorithm="ES256", headers=headers))


@dataclass
class Publisher:
    """Somebody who publishes keys, and counts who looks."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    url: str = ""
    answer: Callable[[], web.StreamResponse] | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, _: web.Request) -> web.StreamResponse:
        self.looks += 1
        await self.gate.wait()
        return self.answer() if self.answer else web.json_response({"keys": self.keys})


@pytest.fixture
async def publisher(aiohttp_server: Any) -> Publisher:
    publisher = Publisher([as_jwk(OLD, kid="old"), as_jwk(NEW, kid="new")])
    publisher.gate.set()
    app = web.Application()
    app.router.add_get("/keys", publisher.handle)
    publisher.url = str((await aiohttp_server(app)).make_url("/keys"))
    return publisher


@pytest.fixture
async def api(serve: Any, publisher: Publisher) -> Any:
    return await serve(TokenRules(key=None, algorithm="ES256", jwks_url=publisher.url), sub=None)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def watched(publisher: Publisher, clock: Clock) -> AsyncIterator[KeySet]:
    keys = KeySet(publisher.url, "ES256", clock=clock)
    task = asyncio.create_task(keys.watch())
    try:
        yield keys
    finally:
        task.cancel()
        await asyncio.wait({task})


async def status(api: Any, headers: dict[str, str], path: str = URL) -> int:
    return (await api.get(path, headers=headers)).status


async def test_tokens_of_published_keys_get_in_and_others_do_not(api):
    assert await status(api, signed(OLD, "old")) == 200
    assert await status(api, signed(NEW, "new")) == 200
    assert await status(api, signed(NEW)) == 200
    assert await status(api, signed(NEW, "old")) == 401
    assert await status(api, signed(OTHER, "new")) == 401
    assert await status(api, signed(OTHER)) == 401


async def test_many_tokens_with_unknown_names_cause_one_look(publisher):
    clock = Clock()
    async with watched(publisher, clock) as keys:
        assert await keys.find("new")
        clock.now += jwks.UNKNOWN_SECONDS
        publisher.gate.clear()

        asking = [asyncio.create_task(keys.find(f"made-up-{n}")) for n in range(50)]
        while publisher.looks < 2:  # noqa: ASYNC110 - the publisher's own event is the gate
            await asyncio.sleep(0)
        publisher.gate.set()
        found = await asyncio.gather(*asking)
        again = await keys.find("made-up-again")

    assert found == [()] * 50
    assert again == ()
    assert publisher.looks == 2


async def test_a_new_key_is_found_by_the_first_token_that_names_it(publisher):
    clock = Clock()
    async with watched(publisher, clock) as keys:
        await keys.find("new")
        publisher.keys.append(as_jwk(OTHER, kid="newest"))
        too_early = await keys.find("newest")
        clock.now += jwks.UNKNOWN_SECONDS

        found = await keys.find("newest")

    assert too_early == ()
    assert [key.id for key in found] == ["newest"]


async def test_a_token_of_a_withdrawn_key_is_forgotten(serve, publisher, monkeypatch):
    monkeypatch.setattr(jwks, "UNKNOWN_SECONDS", 0.0)
    rules = TokenRules(key=None, algorithm="ES256", jwks_url=publisher.url)
    api = await serve(rules, sub=None)
    remembered = signed(OLD, "old")
    assert await status(api, remembered) == 200
    publisher.keys = [as_jwk(NEW, kid="new")]

    assert await status(api, signed(NEW, "unknown")) == 401  # causes a look

    assert await status(api, remembered) == 401


BROKEN = {
    "error": lambda: web.Response(status=500),
    "redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "no JSON": lambda: web.Response(text="<html>"),
    "no set": lambda: web.json_response([1, 2]),
    "empty set": lambda: web.json_response({"keys": []}),
    "deep": lambda: web.Response(text="[" * 100_000),
    "digits": lambda: web.Response(text="9" * 5000),
    "too long": lambda: web.Response(body=b" " * (jwks.MAX_SET_BYTES + 1)),
    "bytes": lambda: web.Response(body=b"\xff\xfe"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_known_keys_stay_in_force_when_an_answer_is_no_use(publisher, broken):
    clock = Clock()
    async with watched(publisher, clock) as keys:
        before = await keys.find("new")
        publisher.answer = broken
        clock.now += jwks.UNKNOWN_SECONDS

        assert await keys.find("made-up") == ()

        assert publisher.looks == 2
        assert await keys.find("new") == before


async def test_known_keys_stay_in_force_for_a_day(publisher, monkeypatch):
    monkeypatch.setattr(jwks, "RETRY_SECONDS", (0.0,))
    clock = Clock()
    async with watched(publisher, clock) as keys:
        await keys.find("new")
        publisher.answer = BROKEN["error"]
        clock.now += jwks.KEPT_SECONDS - 1
        await keys.find("made-up")
        nearly = await keys.find("new")
        clock.now += jwks.UNKNOWN_SECONDS + 1
        await asyncio.gather(keys.find("made-up"), return_exceptions=True)

        with pytest.raises(KeysUnavailable):
            await keys.find("new")

    assert nearly
    assert not keys.is_ready


async def test_without_any_key_nobody_is_told_that_its_token_is_bad(serve, publisher, monkeypatch):
    monkeypatch.setattr(jwks, "RETRY_SECONDS", (0.05,))
    monkeypatch.setattr(jwks, "PATIENCE_SECONDS", 0.2)
    publisher.answer = BROKEN["error"]
    rules = TokenRules(key=None, algorithm="ES256", jwks_url=publisher.url)
    api = await serve(rules, sub=None)

    listed = await api.get(URL, headers=signed(NEW, "new"))
    shown = await api.get(JOB, headers=signed(NEW, "new"))
    ready = await api.get("/readyz")
    alive = await api.get("/healthz")

    assert (listed.status, shown.status, ready.status, alive.status) == (503, 500, 503, 200)
    assert listed.headers["Retry-After"]
    assert "keys" in (await ready.json(content_type=None))["detail"]
    assert (await shown.json(content_type=None))["detail"].startswith("Failed to get job status: ")


async def test_it_heals_when_the_keys_come(serve, publisher, monkeypatch):
    monkeypatch.setattr(jwks, "RETRY_SECONDS", (0.01,))
    publisher.answer = BROKEN["error"]
    rules = TokenRules(key=None, algorithm="ES256", jwks_url=publisher.url)
    api = await serve(rules, sub=None)
    await status(api, signed(NEW, "new"))
    publisher.answer = None

    async with asyncio.timeout(10):
        while (await api.get(URL, headers=signed(NEW, "new"))).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert (await api.get("/readyz")).status == 200


def ids(algorithm: str, *keys: dict[str, Any]) -> list[str | None]:
    return [key.id for key in published({"keys": list(keys)}, algorithm)]


def test_only_keys_that_may_verify_the_algorithm_are_taken():
    symmetric = {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "symmetric"}
    private = jwt.get_algorithm_by_name("ES256").to_jwk(OLD, as_dict=True)
    taken = ids(
        "ES256",
        as_jwk(OLD, kid="good"),
        as_jwk(OLD, kid="said", alg="ES256", use="sig", key_ops=["verify"]),
        as_jwk(OLD, kid="for another algorithm", alg="ES384"),
        as_jwk(OLD, kid="for encryption", use="enc"),
        as_jwk(OLD, kid="for signing", key_ops=["sign"]),
        as_jwk(OLD, kid="odd", key_ops={"verify": True}),
        as_jwk(OLD, kid="k" * 300),
        as_jwk(OLD, kid=7),
        as_jwk(OLD, kid="cut off", x="AAAA"),
        as_jwk(OLD, kid="no text", x=1),
        as_jwk(RSA, kid="of another type"),
        as_jwk(ec.generate_private_key(ec.SECP384R1()), kid="of another curve"),
        {**private, "kid": "private"},
        symmetric,
    )

    assert taken == ["good", "said"]
    assert ids("RS256", as_jwk(RSA, kid="good"), as_jwk(SMALL, kid="small")) == ["good"]
    assert ids("PS256", as_jwk(RSA, kid="good")) == ["good"]
    assert ids("EdDSA", as_jwk(ed25519.Ed25519PrivateKey.generate(), kid="good")) == ["good"]
    assert published({"keys": [symmetric, "x", None, []]}, "RS256") == ()


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": {}}, {"keys": "x"}])
def test_what_is_no_set_is_said_to_be_none(document):
    with pytest.raises(ValueError, match="no JSON Web Key Set"):
        published(json.loads(json.dumps(document)), "ES256")
