"""Server-Sent Events of a job (`text/event-stream`, HTML Living Standard, §9.2.6)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from aiohttp import hdrs

from arxiv_ingestion_client.answers import MAX_LINE_BYTES, parse, report_of
from arxiv_ingestion_client.errors import BrokenOff
from arxiv_ingestion_client.reports import JobReport
from arxiv_ingestion_client.transport import Ask, Transport

COME_BACK = timedelta(seconds=2)  # what the service's streams ask for (`retry`)
LAST_EVENT_ID = "Last-Event-ID"
_MEDIA_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class _Event:
    """One event; `id` is what to come back with when the stream is lost."""

    id: str | None
    data: str


async def follow(
    transport: Transport, ask: Ask, *, timeout: timedelta
) -> AsyncGenerator[JobReport, None]:
    """The job as it is now, then every change until it is finished; TimeoutError after `timeout`.

    A stream that ends before is taken up again behind the last event.
    """
    deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
    seen: str | None = None
    while True:
        async with aclosing(_events(transport, ask, after=seen)) as coming:
            while (event := await _next(coming, deadline)) is not None:
                seen = event.id
                report = report_of(parse(event.data.encode()), etag=f'"{seen}"')
                yield report
                if report.is_final:
                    return
        async with asyncio.timeout_at(deadline):
            await asyncio.sleep(COME_BACK.total_seconds())


async def _next(coming: AsyncGenerator[_Event, None], deadline: float) -> _Event | None:
    """The next event; None when the stream has ended, or is broken."""
    with suppress(BrokenOff):
        async with asyncio.timeout_at(deadline):
            return await anext(coming, None)
    return None


async def _events(
    transport: Transport, ask: Ask, *, after: str | None
) -> AsyncGenerator[_Event, None]:
    """The events behind the one whose id is `after`, of one stream."""
    headers = {**ask.headers, hdrs.ACCEPT: _MEDIA_TYPE}
    if after is not None:
        headers[LAST_EVENT_ID] = after
    async with transport.opened(replace(ask, headers=headers)) as flow:
        data, size = list[str](), 0
        while line := await flow.line():
            name, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                after = value
            elif name == "data" and size < MAX_LINE_BYTES:
                data.append(value)
                size += len(line)
            elif not name and not value and data:
                yield _Event(after, "\n".join(data))
                data, size = [], 0
