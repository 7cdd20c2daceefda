"""Many who wait for one job on one process: when they see its change, and what each costs.

Half of them read a stream of events, half ask by long poll, and again when they are answered;
each has a connection of its own, from this process to another. A change is committed in SQL,
as an operator would, and the clock runs from its commit to the moment when this process holds
the new state. Memory is the growth of the server's resident set, from before the first of them
came (warm, after as many plain requests) to when all of them wait, and to the end.
"""

import asyncio
import os
import platform
import secrets
import tempfile
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import asyncpg
import uvloop

from benchmarks.servers import Service, cpu_seconds, our_service, token

WAITERS = int(os.environ.get("BENCH_WAITERS", "2000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
SETTLE_SECONDS = 2.0  # for long polls to have begun, which nobody outside can see
ROUND_SECONDS = 30.0
CONNECT_AT_ONCE = 100
GOAL_SECONDS, GOAL_KB = 1.0, 40.0
INSERT = "INSERT INTO jobs (status, started_at) VALUES ('running', now()) RETURNING id::text"
MOVE = "UPDATE jobs SET papers_fetched = papers_fetched + 1 RETURNING version::text"


@dataclass(slots=True)
class Client:
    """One watcher: its connection, and when it saw which version."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, version: str) -> None:
        """Note the moment."""
        self.seen[version] = time.perf_counter()
        self.changed.set()

    async def wait_for(self, version: str) -> float:
        """When this version came."""
        while version not in self.seen:
            self.changed.clear()
            await self.changed.wait()
        return self.seen[version]


async def follow_stream(client: Client, head: str, job: str) -> None:
    """Read the events of a job."""
    client.writer.write(f"GET {job}/events {head}\r\n\r\n".encode())
    while line := await client.reader.readline():
        if line.startswith(b"id: "):
            await client.reader.readuntil(b"\r\n\r\n")  # the data, whole
            client.see(line[4:].strip().decode())


async def poll(client: Client, head: str, job: str) -> None:
    """Ask for a change of a job, again and again."""
    known = ""
    while True:
        more = f"Prefer: wait=60\r\nIf-None-Match: {known}\r\n" if known else ""
        client.writer.write(f"GET {job} {head}\r\n{more}\r\n".encode())
        fields = await client.reader.readuntil(b"\r\n\r\n")
        known = _field(fields, b"etag")
        await client.reader.readexactly(int(_field(fields, b"content-length") or 0))
        client.see(known.strip('"'))


def _field(fields: bytes, name: bytes) -> str:
    for line in fields.lower().split(b"\r\n"):
        if line.startswith(name + b": "):
            return line[len(name) + 2 :].decode()
    return ""


def run() -> None:
    """Measure, and print the figures."""
    secret = secrets.token_urlsafe(48)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        our_service(Path(folder), secret) as service,
    ):
        uvloop.run(_measure(service, secret))


async def _measure(service: Service, secret: str) -> None:
    address = urlsplit(service.base)
    head = f"HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token(secret)}"
    database = await asyncpg.connect(service.database_url)
    job = "/api/v1/ingestion/job/" + await database.fetchval(INSERT)
    await _warm(address.port or 80, head, job)
    before = service.process.memory_info().rss
    load = os.getloadavg()[0]

    clients = await _connect(address.port or 80)
    tasks = [
        asyncio.create_task((follow_stream if number % 2 else poll)(client, head, job))
        for number, client in enumerate(clients)
    ]
    await _all(client.wait_for("1") for client in clients)
    await asyncio.sleep(SETTLE_SECONDS)
    waiting = service.process.memory_info().rss
    spent = cpu_seconds([service.process])
    rounds = [await _round(database, clients) for _ in range(ROUNDS)]
    spent = (cpu_seconds([service.process]) - spent) / ROUNDS
    after = service.process.memory_info().rss

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for client in clients:
        client.writer.transport.abort()
    await database.close()
    print(f"watchers: {WAITERS} on one process, half streams, half long polls; {ROUNDS} changes")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()};",
        end=" ",
    )
    print(f"load average {load:.1f} before; the server's CPU for a change {spent:.2f} s")
    _report(rounds, before, waiting, after)


async def _warm(port: int, head: str, job: str) -> None:
    """As many plain requests as there will be watchers, by one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(WAITERS):
        writer.write(f"GET {job} {head}\r\n\r\n".encode())
        fields = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(_field(fields, b"content-length")))
    writer.close()


async def _connect(port: int) -> list[Client]:
    clients: list[Client] = []
    while len(clients) < WAITERS:
        number = min(CONNECT_AT_ONCE, WAITERS - len(clients))
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", port) for _ in range(number))
        )
        clients += [Client(reader, writer) for reader, writer in opened]
    return clients


async def _round(database: asyncpg.Connection, clients: list[Client]) -> list[float]:
    """Commit a change; the seconds after which each saw it."""
    version: str = await database.fetchval(MOVE)
    committed = time.perf_counter()
    moments = await _all(client.wait_for(version) for client in clients)
    await asyncio.sleep(SETTLE_SECONDS)  # until all wait again
    return [moment - committed for moment in moments]


async def _all(waits: Iterable[Awaitable[float]]) -> list[float]:
    async with asyncio.timeout(ROUND_SECONDS):
        return await asyncio.gather(*waits)


def _report(rounds: list[list[float]], before: int, waiting: int, after: int) -> None:
    last = [max(seconds) for seconds in rounds]
    middle = [median(seconds) for seconds in rounds]
    late = [quantiles(seconds, n=100)[98] for seconds in rounds]
    each = [(rss - before) / WAITERS / 1000 for rss in (waiting, after)]
    print("seconds from the commit until the new state has come")
    print(
        f"  half of them  {median(middle):.3f} in the median round, {max(middle):.3f} in the worst"
    )
    print(f"  99 of 100     {median(late):.3f} in the median round, {max(late):.3f} in the worst")
    print(f"  all of them   {median(last):.3f} in the median round, {max(last):.3f} in the worst")
    print(f"  goal {GOAL_SECONDS} for all, in every round: {_verdict(max(last) <= GOAL_SECONDS)}")
    print(f"resident set: {before / 1e6:.1f} MB before, {waiting / 1e6:.1f} MB while all wait,")
    print(f"  {after / 1e6:.1f} MB after the changes: {each[0]:.1f} and {each[1]:.1f} kB for each")
    print(f"  goal {GOAL_KB:.0f} kB: {_verdict(max(each) <= GOAL_KB)}")


def _verdict(reached: bool) -> str:
    return "reached" if reached else "NOT reached"
