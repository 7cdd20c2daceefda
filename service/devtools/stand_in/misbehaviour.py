"""Carrying faults out: the ways in which a server or a network goes wrong.

Some faults are only another answer (a status, a captcha page, an empty feed);
the others happen on the wire (cut, stalled, dripped, held). Whatever waits here
waits no longer than its step says.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web

from service.devtools.stand_in import feed
from service.devtools.stand_in.answers import XML, Answer, Delivery, cut, send
from service.devtools.stand_in.download import MISSING
from service.devtools.stand_in.faults import API_KINDS, STATUS_KINDS, Step
from service.devtools.stand_in.log import Record
from service.devtools.stand_in.oai_errors import OaiError, error_document
from service.devtools.stand_in.parameters import Exploded, Parameters, Surroundings
from service.devtools.stand_in.query import BadQuery
from service.devtools.stand_in.spoiling import with_illegal_characters

_CAPTCHA = b"""<!DOCTYPE html>
<html><head><title>arXiv reCAPTCHA</title></head>
<body><h1>Are you a robot?</h1><p>Please complete the challenge to go on.</p></body></html>
"""
_SORRY = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
_REASONS = {
    "429": "Too Many Requests",
    "503": "Service Unavailable",
    "500": "Internal Server Error",
    "502": "Bad Gateway",
    "504": "Gateway Timeout",
    "403": "Forbidden",
}


Handler = Callable[[web.Request, Surroundings], Awaitable[Answer]]


class HeldRequests:
    """The requests that are held open until somebody releases them."""

    def __init__(self) -> None:
        self._held: deque[asyncio.Future[None]] = deque()
        self._arrived = asyncio.Event()

    @property
    def count(self) -> int:
        """How many requests are held now."""
        return len(self._held)

    async def wait(self, seconds: float) -> bool:
        """Be held; True when released, False after `seconds`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(turn)
        self._arrived.set()
        self._arrived = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError:
            return False
        finally:
            if turn in self._held:
                self._held.remove(turn)
        return True

    def release(self, count: int | None = None) -> int:
        """Let the `count` requests that are held longest go on (None: all); how many went."""
        released = 0
        while self._held and (count is None or released < count):
            turn = self._held.popleft()
            if not turn.done():
                turn.set_result(None)
                released += 1
        return released

    async def wait_for(self, count: int, *, timeout: float = 10.0) -> None:
        """Return once at least `count` requests are held; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while len(self._held) < count:
                await self._arrived.wait()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request under way, and `handler`, which makes the answer that it would get."""

    request: web.Request
    record: Record
    handler: Handler
    around: Surroundings
    bandwidth: int | None
    holds: HeldRequests

    async def normal(self, surplus: int = 0) -> Answer:
        """The answer without a fault; a page of a search with `surplus` entries too many."""
        return await self.handler(self.request, replace(self.around, surplus=surplus))

    async def send(self, answer: Answer) -> web.StreamResponse:
        """Send `answer` whole, at the bandwidth of the channel."""
        return await send(self.request, answer, self.record, Delivery(bandwidth=self.bandwidth))


async def misbehave(exchange: Exchange, step: Step) -> web.StreamResponse:
    """Do to the exchange what `step` says."""
    exchange.record.fault = step.kind
    if on_wire := _ON_WIRE.get(step.kind):
        return await on_wire(exchange, step)
    await asyncio.sleep(step.delay)
    return await exchange.send(await _instead(exchange, step))


async def _instead(exchange: Exchange, step: Step) -> Answer:
    """The answer that a fault gives in place of the right one."""
    headers = {} if step.retry_after is None else {"Retry-After": step.retry_after}
    if step.kind in STATUS_KINDS:
        if step.kind == "404":
            return MISSING
        title = f"{step.kind} {_REASONS[step.kind]}"
        return Answer(status=int(step.kind), body=_SORRY.format(title).encode(), headers=headers)
    if step.kind in API_KINDS:
        return await _other_feed(exchange, step)
    if step.kind in ("illegal_xml", "half"):
        return _spoilt(await exchange.normal(), step)
    if step.kind == "oai_error":
        error = OaiError(step.code, "The stand-in was told to say so.")
        return Answer(body=error_document(exchange.around.base, error, {}), content_type=XML)
    if step.kind == "rate_exceeded":
        return Answer(body=b"Rate exceeded.", content_type="text/plain", headers=headers)
    if step.kind == "redirect":
        status = step.status if 300 <= step.status < 400 else 302
        return Answer(status=status, headers={"Location": step.location or "/"})
    if step.kind == "html":
        return Answer(body=_CAPTCHA)
    return Answer(
        status=step.status, body=step.body, content_type=step.content_type, headers=headers
    )


def _spoilt(answer: Answer, step: Step) -> Answer:
    """A right answer with junk in it, or without its second half."""
    if step.kind == "half":
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    return replace(answer, body=with_illegal_characters(answer.body, step.body))


async def _other_feed(exchange: Exchange, step: Step) -> Answer:
    if step.kind in ("error_feed", "error_400"):
        status = 200 if step.kind == "error_feed" else 400
        message = "something is wrong with this query"
        return feed.error_feed(message, exchange.around.base, status=status)
    if step.kind == "surplus":
        return await exchange.normal(step.surplus)
    right = await exchange.normal()
    try:
        parameters = Parameters.read(exchange.request.query, exchange.around)
    except (BadQuery, Exploded):
        return right
    return feed.page(parameters, 0 if step.kind == "empty_zero" else right.total or 0, ())


async def _reset(exchange: Exchange, _: Step) -> web.StreamResponse:
    """Break the connection with a TCP reset, before any byte."""
    if transport := exchange.request.transport:
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the client may have gone first
            # lingering for no time makes the close a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return _gone()


async def _stall(exchange: Exchange, step: Step) -> web.StreamResponse:
    """Say nothing, then hang up."""
    await asyncio.sleep(step.seconds)
    return cut(exchange.request, _gone())


async def _hold(exchange: Exchange, step: Step) -> web.StreamResponse:
    """Wait to be released, before the status line or inside the body, then go on as usual."""
    if step.after_bytes is None and not await exchange.holds.wait(step.seconds):
        return cut(exchange.request, _gone())
    pause = None if step.after_bytes is None else partial(exchange.holds.wait, step.seconds)
    return await _with(exchange, Delivery(pause_at=step.after_bytes or 0, pause=pause))


async def _truncate(exchange: Exchange, step: Step) -> web.StreamResponse:
    """Promise the whole body and hang up in the middle of it."""
    return await _cut_off(exchange, await exchange.normal(), step)


async def _half_announced(exchange: Exchange, step: Step) -> web.StreamResponse:
    """The same with the length announced, which is not so for most PDFs."""
    return await _cut_off(exchange, replace(await exchange.normal(), chunked=False), step)


async def _cut_off(exchange: Exchange, answer: Answer, step: Step) -> web.StreamResponse:
    async def stop() -> bool:
        return False

    at = len(answer.body) // 2 if step.after_bytes is None else step.after_bytes
    return await send(exchange.request, answer, exchange.record, Delivery(pause_at=at, pause=stop))


async def _stall_after_headers(exchange: Exchange, step: Step) -> web.StreamResponse:
    async def stall() -> bool:
        await asyncio.sleep(step.seconds)
        return False

    return await _with(exchange, Delivery(pause_at=step.after_bytes or 0, pause=stall))


async def _drip(exchange: Exchange, step: Step) -> web.StreamResponse:
    """One byte a second."""
    return await _with(exchange, Delivery(bandwidth=1, limit=step.seconds))


async def _with(exchange: Exchange, delivery: Delivery) -> web.StreamResponse:
    return await send(exchange.request, await exchange.normal(), exchange.record, delivery)


def _gone() -> web.StreamResponse:
    """What a handler returns when there is nobody to send it to."""
    response = web.Response()
    response.force_close()
    return response


_ON_WIRE: dict[str, Callable[[Exchange, Step], Awaitable[web.StreamResponse]]] = {
    "reset": _reset,
    "stall": _stall,
    "hold": _hold,
    "truncate": _truncate,
    "half_announced": _half_announced,
    "stall_after_headers": _stall_after_headers,
    "drip": _drip,
}
