"""A callback is no way into our own network: every spelling, name and redirect (A, C 45-47)."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import WebhookSettings, new_secret
from service.jobs.webhooks.sender import Answer, Message, webhook_sender
from tests.api.conftest import GOOD_BODY, PREFIX, is_problem
from tests.receiver import certificates, running_receiver

SECRET = new_secret()
OPEN = CallbackTargets.parse(None)
LOCAL = CallbackTargets.parse("hooks.example.org 127.0.0.0/8 ::1")

TRICKS = (
    "http://hooks.example.org/",
    "https://user@hooks.example.org/",
    "https://user:password@hooks.example.org/",
    "https://@hooks.example.org/",
    "https://hooks.example.org\\@127.0.0.1/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:65536/",
    "https://hooks.example.org:/",
    "https://127.0.0.1/",
    "https://10.1.2.3/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://１２７.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://hooks。example.org/",
    "https://hooks.example.org%2f@127.0.0.1/",
    "https:///path",
    "https://",
    "//hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "javascript:alert(1)",
    "https://hooks.example.org/ a",
    "https://hooks.example.org/\r\nX: 1",
    "https://hooks.example.org/" + "a" * 2048,
)


@pytest.mark.parametrize("url", TRICKS)
async def test_a_callback_url_that_is_no_plain_public_https_url_is_refused(serve, sql, url):
    api = await serve(webhooks=WebhookSettings(secrets=(SECRET,)))

    for path, body in (
        (f"{PREFIX}/arxiv", {**GOOD_BODY, "callback_url": url}),
        ("/api/v1/webhooks", {"url": url}),
    ):
        response = await api.post(path, json=body)
        document = await response.json()

        assert response.status == 422
        assert is_problem(response, document)
        assert set(document["errors"]) <= {"callback_url", "url"}
    assert await sql("SELECT 1 FROM jobs UNION ALL SELECT 1 FROM webhooks") == []


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/path?x=1",
        "HTTPS://Hooks.Example.ORG:8443/",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://hooks.example.org./",
    ],
)
async def test_a_plain_public_https_url_is_taken(serve, url):
    api = await serve(webhooks=WebhookSettings(secrets=(SECRET,)))

    response = await api.post(f"{PREFIX}/arxiv", json={**GOOD_BODY, "callback_url": url})

    assert response.status == 202


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://hooks.example.org/", True),
        ("https://HOOKS.example.org./", True),
        ("https://other.example.org/", False),
        ("https://evil-hooks.example.org/", False),
        ("https://hooks.example.org.evil.example/", False),
        ("https://8.8.8.8/", False),
        ("http://127.0.0.1:8080/", True),
        ("https://127.0.0.1/", True),
        ("https://[::1]/", True),
        ("https://[::ffff:127.0.0.1]/", False),
        ("https://127.1/", False),
        ("http://user@127.0.0.1/", False),
        ("https://10.0.0.1/", False),
    ],
)
def test_with_a_list_only_what_is_on_it_is_allowed(url, is_allowed):
    assert (LOCAL.mistake(url) is None) is is_allowed


class Names(AbstractResolver):
    """DNS of a test: each look gives the next of the addresses, the last for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.looks = list(addresses), 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[Any]:
        self.looks += 1
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": kind,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        pass


def message(url: str) -> Message:
    return Message(id="msg_1", url=url, body=b"{}", secrets=(SECRET,))


@pytest.fixture
def tls():
    return certificates("hooks.example.org", "127.0.0.1")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
)
async def test_a_name_that_resolves_to_a_private_address_is_refused_when_connecting(tls, address):
    async with (
        running_receiver(tls[0]) as receiver,
        webhook_sender(OPEN, connections=1, resolver=Names(address), tls=tls[1]) as sender,
    ):
        port = receiver.base.rpartition(":")[2]

        answer = await sender.send(message(f"https://hooks.example.org:{port}/"))

        assert answer == Answer(error="address_refused")
        assert receiver.received == []


async def test_a_listed_name_does_not_allow_a_private_address_but_a_listed_address_does(tls):
    name_only = CallbackTargets.parse("hooks.example.org")
    async with running_receiver(tls[0]) as receiver:
        url = f"https://hooks.example.org:{receiver.base.rpartition(':')[2]}/"
        for targets, error in ((name_only, "address_refused"), (LOCAL, None)):
            async with webhook_sender(
                targets, connections=1, resolver=Names("127.0.0.1"), tls=tls[1]
            ) as sender:
                assert (await sender.send(message(url))).error == error
        assert len(receiver.received) == 1


async def test_a_name_whose_address_changes_is_judged_anew_for_each_connection(tls):
    names = Names("127.0.0.1", "127.0.0.2", "10.0.0.1")
    loopback = CallbackTargets.parse("hooks.example.org 127.0.0.1")
    async with (
        running_receiver(tls[0]) as receiver,
        webhook_sender(loopback, connections=1, resolver=names, tls=tls[1]) as sender,
    ):
        url = f"https://hooks.example.org:{receiver.base.rpartition(':')[2]}/"

        answers = [(await sender.send(message(url))).error for _ in range(3)]

        assert answers == [None, "address_refused", "address_refused"]
        assert names.looks == 3  # no look was remembered
        assert len(receiver.received) == 1


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/x", "//127.0.0.1:{port}/x", "/x"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status, location):
    async with (
        running_receiver() as receiver,
        webhook_sender(LOCAL, connections=1) as sender,
    ):
        there = location.format(port=receiver.base.rpartition(":")[2])
        receiver.reactions = [web.Response(status=status, headers={"Location": there})]

        answer = await sender.send(message(receiver.url))

        assert (answer.http_status, answer.error) == (status, "redirect")
        assert len(receiver.received) == 1


async def test_a_receiver_that_hangs_costs_the_deadline_and_no_more():
    forever = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await forever.wait()
        return web.Response()

    short = timedelta(milliseconds=200)
    async with (
        running_receiver() as receiver,
        webhook_sender(LOCAL, connections=1, deadline=short) as sender,
    ):
        receiver.reactions = [hang, 204]

        hung, following = [await sender.send(message(receiver.url)) for _ in range(2)]
        forever.set()

        assert hung == Answer(error="timeout")
        assert following == Answer(http_status=204)


async def test_an_endless_answer_is_not_read():
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionError:
            return response

    async with (
        running_receiver() as receiver,
        webhook_sender(LOCAL, connections=1) as sender,
    ):
        receiver.reactions = [drip]

        assert await sender.send(message(receiver.url)) == Answer(http_status=200)


async def test_a_certificate_that_is_not_trusted_is_refused(tls):
    async with (
        running_receiver(tls[0]) as receiver,
        webhook_sender(LOCAL, connections=1) as sender,
    ):
        answer = await sender.send(message(receiver.url))

        assert answer == Answer(error="tls_failed")
        assert receiver.received == []


async def test_what_cannot_be_reached_is_said_in_safe_words(unused_tcp_port):
    async with webhook_sender(LOCAL, connections=1) as sender:
        answer = await sender.send(message(f"http://127.0.0.1:{unused_tcp_port}/"))

    assert answer == Answer(error="connection_failed")


async def test_the_proxy_of_the_environment_is_not_asked(monkeypatch):
    async with (
        running_receiver() as proxy,
        running_receiver() as receiver,
        webhook_sender(LOCAL, connections=1) as sender,
    ):
        monkeypatch.setenv("http_proxy", proxy.base)

        await sender.send(message(receiver.url))

        assert (len(proxy.received), len(receiver.received)) == (0, 1)
