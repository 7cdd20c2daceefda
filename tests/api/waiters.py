"""Clients that wait: what they wait for, how they read a stream, and when they have begun."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientResponse, ClientSession, TCPConnector
from aiohttp.test_utils import TestClient

from service.api.job_watch import JOB_WATCH
from tests.api.conftest import STATUS

EVENTS = f"{STATUS}/events"
LONG = {"Prefer": "wait=50"}
MOVE = "UPDATE jobs SET papers_fetched = papers_fetched + 1"
END = "UPDATE jobs SET status = 'completed'"


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    id: str
    data: str

    @property
    def document(self) -> Any:
        return orjson.loads(self.data)


async def blocks(response: ClientResponse) -> AsyncIterator[list[tuple[str, str]]]:
    """The blocks of a stream as pairs of field and value (a comment: an empty field)."""
    block: list[tuple[str, str]] = []
    async for raw in response.content:
        line = raw.decode().rstrip("\r\n")
        if line:
            field, _, value = line.partition(":")
            block.append((field, value.removeprefix(" ")))
        elif block:
            yield block
            block = []


async def events(response: ClientResponse) -> AsyncIterator[Event]:
    """The events of a stream, comments and other blocks left out."""
    async for block in blocks(response):
        fields = dict(block)
        if "data" in fields:
            assert [field for field, _ in block].count("data") == 1
            yield Event(fields["event"], fields["id"], fields["data"])


async def begun(api: TestClient, number: int = 1) -> None:
    """Wait until so many wait, and have read the row."""
    waiting = api.app[JOB_WATCH]
    async with asyncio.timeout(60):
        while sum(watch._sleep is not None for watch in waiting._watches()) < number:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)


async def emptied(api: TestClient) -> None:
    """Wait until nobody waits any more, and nothing is kept of them."""
    waiting = api.app[JOB_WATCH]
    async with asyncio.timeout(60):
        while len(waiting):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    assert not waiting._topics
    assert not waiting._room._count_of


def crowd(api: TestClient) -> ClientSession:
    """A session with as many connections as it likes."""
    return ClientSession(
        str(api.make_url("/")), headers=api.session.headers, connector=TCPConnector(limit=0)
    )
