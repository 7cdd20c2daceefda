"""Outages: a channel, or the whole server, is gone for a while.

Either connections are accepted and closed as soon as a request has come, or, with
`refuse`, nobody listens: connecting is refused. A channel can only be refused when
it has a port of its own. What is out comes back by itself.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from service.devtools.stand_in.faults import LANES, MAX_SECONDS

_TRIES = 100  # to listen again on a port that was let go
_BETWEEN = 0.1  # seconds


class BadOutage(ValueError):
    """An outage that cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Outage:
    """`seconds` without `lane` (None: without anything)."""

    seconds: float
    lane: str | None = None
    refuse: bool = False

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """An outage from JSON; raises BadOutage."""
        lane, refuse = document.get("lane"), document.get("refuse", False)
        seconds = document.get("seconds")
        if document.keys() - {"seconds", "lane", "refuse"}:
            raise BadOutage("an outage has seconds, lane and refuse")
        if lane not in (None, *LANES):
            raise BadOutage(f"lane must be one of {', '.join(LANES)}")
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_SECONDS:
            raise BadOutage(f"seconds must be more than 0 and at most {MAX_SECONDS:g}")
        if not isinstance(refuse, bool):
            raise BadOutage("refuse must be true or false")
        return cls(float(seconds), lane, refuse)


class Listener:
    """One listening socket, which can become unavailable and come back on the same port."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self._host = host
        self._port = port
        self._site: web.SockSite | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def open(self) -> None:
        """Listen; raises OSError when the address is taken."""
        bound = socket.create_server((self._host, self._port), family=_family(self._host))
        self._port = bound.getsockname()[1]
        site = web.SockSite(self._runner, bound)
        await site.start()
        self._site = site

    async def refuse(self, seconds: float) -> None:
        """Let nobody connect for `seconds`, then listen again."""
        if self._site is None:
            return
        site, self._site = self._site, None
        await site.stop()
        with _reserved(self._host, self._port):
            await asyncio.sleep(seconds)
            await self._open_again()

    async def _open_again(self) -> None:
        for _ in range(_TRIES - 1):
            try:
                await self.open()
            except OSError:
                await asyncio.sleep(_BETWEEN)
            else:
                return
        await self.open()


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[None]:
    """Keep the port from being given to somebody else, without listening on it."""
    with socket.socket(_family(host)) as placeholder:
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody was faster: then listening is tried for long
            placeholder.bind((host, port))
        yield


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Outages:
    """Which channels are out now. `own` are the listeners of those with a port of their own."""

    def __init__(self) -> None:
        self.main: Listener | None = None
        self.own: dict[str, Listener] = {}
        self._until: dict[str | None, float] = {}
        self._returning: set[asyncio.Task[None]] = set()

    def begin(self, outage: Outage) -> None:
        """Begin an outage; raises BadOutage when its channel has no port of its own."""
        listeners = [one for one in (self.main, *self.own.values()) if one]
        if outage.lane is not None and outage.refuse:
            if outage.lane not in self.own:
                raise BadOutage("to refuse one channel, give each a port (--port-per-channel)")
            listeners = [self.own[outage.lane]]
        self._until[outage.lane] = time.monotonic() + outage.seconds
        for listener in listeners if outage.refuse else ():
            task = asyncio.create_task(listener.refuse(outage.seconds))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    def end(self) -> None:
        """End all outages but refusals, which last as long as they were to."""
        self._until.clear()

    def is_out(self, lane: str) -> bool:
        """Whether a request of `lane` must be left without an answer."""
        now = time.monotonic()
        return any(now < self._until.get(one, 0) for one in (lane, None))

    async def close(self) -> None:
        """Forget those that wait to come back."""
        tasks = list(self._returning)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
