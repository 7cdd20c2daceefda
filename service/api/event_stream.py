"""Server-Sent Events: a response that waits for its client, and pings it when there is nothing."""

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp_sse import EventSourceResponse

from service.api.watch_room import WatchLimits

RETRY_MILLISECONDS = 2000  # until a client that lost its stream tries again
PING = b": ping\n"  # with a blank line it would be an empty event to plain clients


class EventStream(EventSourceResponse):
    """The library's response, which waits after each write until the client has taken it."""

    def __init__(self, limits: WatchLimits) -> None:
        super().__init__(
            headers={"X-Content-Type-Options": "nosniff"},
            allow_all_methods=True,
            send_timeout=limits.send.total_seconds(),
            ping_interval=limits.heartbeat.total_seconds(),
        )
        self.headers[hdrs.CACHE_CONTROL] = "no-store"
        self._writer: AbstractStreamWriter | None = None
        self._has_begun = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head."""
        self._writer = await super().prepare(request)
        return self._writer

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`; aiohttp alone would let 64 KiB pile up before it waits.

        The first event brings `retry` along; the library's ping loses its blank line.
        """
        if bytes(data).startswith(b": ping"):
            data = PING
        elif not self._has_begun:
            self._has_begun = True
            data = b"retry: %d\n" % RETRY_MILLISECONDS + bytes(data)
        await super().write(data)
        if self._writer is not None:
            await self._writer.drain()
