"""A scripted server that can break HTTP in every way, a pace in memory, and feeds to order."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.arxiv.client import ArxivClient
from service.arxiv.http import client_session
from service.arxiv.limits import ClientLimits
from service.domain.channels import WaitReason
from service.domain.errors import ChannelClosed

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples"

Step = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]

_FEED = (
    '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"'
    ' xmlns:arxiv="http://arxiv.org/schemas/atom"'
    ' xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
    "<opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>"
)
_ENTRY = (
    "<entry><id>http://arxiv.org/abs/{arxiv_id}</id><title>{title}</title>"
    "<published>{published}</published><updated>2024-01-03T00:00:00Z</updated>"
    "<summary>About it.</summary><author><name>Ada Lovelace</name></author>"
    '<arxiv:primary_category term="cs.AI"/><category term="cs.AI"/>{more}</entry>'
)


def entry(arxiv_id="2401.00001v1", *, title="A paper", published="2024-01-02T03:04:05Z", more=""):
    return _ENTRY.format(arxiv_id=arxiv_id, title=title, published=published, more=more)


def feed(*entries, total=None):
    count = len(entries) if total is None else total
    return _FEED.format(total=count, entries="".join(entries)).encode()


def answer(body=b"", status=200, *, length=None, **headers):
    """One whole HTTP answer; `length=False` leaves Content-Length out."""
    if length is not False:
        headers["Content-Length"] = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Because", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*chunks):
    """A body in the chunked coding, without the end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


async def reset(writer):
    """RST instead of an answer."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Upstream:
    """Answers request number k with step k of its script; the last step goes on for ever."""

    steps: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    handlers: set[asyncio.Task] = field(default_factory=set)
    port: int = 0

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def script(self, *steps):
        self.steps = list(steps)

    async def stall(self, writer):
        """Say nothing until the test is over."""
        await self.closing.wait()

    def after(self, start, *, then):
        """A step that sends `start` and goes on with the step `then`."""

        async def step(writer):
            writer.write(start)
            await writer.drain()
            await then(writer)

        return step

    def in_pieces(self, head, *, kibibytes, tail):
        """A step: a whole answer, `kibibytes` of x in single ones between `head` and `tail`."""

        async def pieces(writer):
            for _ in range(kibibytes):
                writer.write(b"x" * 1024)
                await writer.drain()
            writer.write(tail)
            await writer.drain()

        length = len(head) + kibibytes * 1024 + len(tail)
        return self.after(answer(head, length=length), then=pieces)

    async def drip(self, writer):
        """One byte every 20 ms, for ever."""
        while not self.closing.is_set():
            writer.write(b"x")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), 0.02)

    async def serve(self, reader, writer):
        self.handlers.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._read_request(reader)
            step = self.steps[min(len(self.asked), len(self.steps)) - 1]
            if callable(step):
                await step(writer)
            else:
                writer.write(step)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _read_request(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        at = asyncio.get_running_loop().time()
        self.asked.append(Asked(method, target, headers, body, at))


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """An upstream for the block, on loopback; with `tls`, by https."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        upstream.closing.set()
        server.close()
        await server.wait_closed()
        if upstream.handlers:
            await asyncio.wait(upstream.handlers, timeout=5)


class MemoryPace:
    """A rate limit for one process: slots are exclusive, what closes a channel is written down."""

    def __init__(self):
        self.turns = []
        self.cooldowns = []
        self.blocks = []
        self.refusals = []
        self.clearings = []
        self.failures = []
        self.is_known_to_answer = False
        self.begun = self.answers = 0
        self.own_backoff = timedelta(seconds=30)
        self.ranks = []
        self.turn_over = asyncio.Event()
        self._lock = asyncio.Lock()

    def api_slot(self, rank=0, *, is_plain=False):
        return self._held("api", rank)

    def html_slot(self, rank=0, *, is_plain=False):
        return self._held("html", rank)

    @asynccontextmanager
    async def _held(self, name, rank):
        async with self._lock:
            self.turns.append(name)
            self.ranks.append(rank)
            try:
                yield self
            finally:
                self.turn_over.set()

    async def pdf_slot(self, *, is_plain=False):
        self.turns.append("pdf")

    async def cooldown(self, channel, wish, *, is_block=False, status=None):
        (self.blocks if is_block else self.cooldowns).append((channel, wish))
        self.refusals.append(status)
        delay = self.own_backoff if wish is None else wish
        return ChannelClosed(WaitReason.ARXIV_COOLDOWN, delay, is_block=is_block)

    async def failed(self, channel, reason):
        self.failures.append((channel, reason))
        return ChannelClosed(WaitReason.ARXIV_UNAVAILABLE, timedelta(seconds=3))

    async def begin(self):
        self.begun += 1

    def answered(self, channel=None):
        """Of a slot: the answer has begun. Of the limit: a channel answers."""
        if channel is None:
            self.answers += 1
            return None
        self.clearings.append(channel)
        return asyncio.sleep(0)

    async def answered_lately(self, channel):
        return self.is_known_to_answer


@pytest.fixture
async def upstream():
    async with listening() as server:
        yield server


@pytest.fixture
async def other_host():
    """A second server, which must never be asked."""
    async with listening() as server:
        server.script(answer(feed()))
        yield server


@pytest.fixture
def pace():
    return MemoryPace()


@pytest.fixture
async def build_client(upstream, pace):
    """A client of `upstream` with quick limits; keywords change the limits."""
    async with contextlib.AsyncExitStack() as stack:

        async def build(*, contact="ops@example.org", api_url=None, **limits):
            session = await stack.enter_async_context(client_session(connections=16))
            quick = {
                "api_total": timedelta(seconds=5),
                "pdf_total": timedelta(seconds=5),
                "sock_read": timedelta(seconds=1),
            }
            return ArxivClient(
                session,
                api_url=api_url or f"{upstream.origin}/api/query",
                pdf_url=f"{upstream.origin}/pdf",
                html_url=f"{upstream.origin}/html",
                contact=contact,
                pace=pace,
                limits=ClientLimits(**(quick | limits)),
            )

        yield build


@pytest.fixture
async def client(build_client):
    return await build_client()


@pytest.fixture
def http():
    """Builders of answers by name: `http.answer`, `http.feed` and so on."""
    return SimpleNamespace(answer=answer, chunked=chunked, reset=reset, feed=feed, entry=entry)


@pytest.fixture
def samples():
    """The folder of recorded answers."""
    if not SAMPLES.is_dir():
        pytest.skip("the recorded answers are not beside this checkout")
    return SAMPLES
