"""A receiver of webhooks, as good or bad as a test wants it, by http or by https."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
from aiohttp import web
from standardwebhooks import Webhook

Reaction = Callable[[web.Request], Any]


@dataclass
class Receiver:
    """What came, and how it is answered: each of `reactions` once, the last for ever."""

    base: str = ""
    reactions: list[int | web.Response | Reaction] = field(default_factory=lambda: [204])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.base}/hook"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.received.append((dict(request.headers), await request.read()))
        self.came.set()
        many = len(self.reactions) > 1
        reaction = self.reactions.pop(0) if many else self.reactions[0]
        if isinstance(reaction, int):
            return web.Response(status=reaction)
        if isinstance(reaction, web.Response):
            return reaction
        answer: web.StreamResponse = await reaction(request)
        return answer

    async def until(self, count: int, *, seconds: float = 60) -> None:
        """Return once `count` messages have come."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                self.came.clear()
                await self.came.wait()

    def verified(self, number: int, secret: str) -> Any:
        """The message, its signature checked by the library of the standard."""
        headers, body = self.received[number]
        return Webhook(secret).verify(body, headers)


@asynccontextmanager
async def running_receiver(
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """A receiver on a free port of `host`."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    receiver.base = f"{'https' if tls else 'http'}://{shown}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def certificates(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of a server with these names, and of a client that trusts its issuer."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
