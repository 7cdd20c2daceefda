"""Answers that are bytes already, head and all: for what thousands ask for in a second.

aiohttp makes the head of each answer anew, from a dictionary of headers; on the status
route that takes as long as all else that we do for a request.
"""

from collections.abc import Mapping
from email.utils import formatdate
from time import time

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from service.api.server import SERVER_NAME


class Ready(web.StreamResponse):
    """A 200 to a request that `is_simple_get`, made of what `packed` returned.

    It has no headers that could be looked at or changed: they are in the bytes.
    """

    def __init__(self, packed: bytes) -> None:
        super().__init__()
        self._packed = packed
        self._out: AbstractStreamWriter | None = None

    @property
    def keep_alive(self) -> bool:
        """What a plain request wants."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing: the head goes out with the body."""
        self._out = request.writer
        return self._out

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all; returns when the client takes it."""
        assert self._out is not None
        assert not data
        await self._out.write_eof(_beginning(int(time())) + self._packed)


def is_simple_get(request: web.Request) -> bool:
    """Whether nothing in the version, method or connection makes this answer another one."""
    is_whole = request.method == hdrs.METH_GET and request.version == HttpVersion11
    return is_whole and request.keep_alive


def packed(headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer but for its first two lines; the headers must be text of our own."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"{hdrs.CONTENT_LENGTH}: {len(body)}", f"{hdrs.SERVER}: {SERVER_NAME}"]
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


_latest = (0, b"")  # second of the epoch, and how answers begin in it


def _beginning(now: int) -> bytes:
    global _latest  # noqa: PLW0603 - one clock for the process
    if _latest[0] != now:
        _latest = now, f"HTTP/1.1 200 OK\r\nDate: {formatdate(now, usegmt=True)}\r\n".encode()
    return _latest[1]
