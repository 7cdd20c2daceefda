"""What was asked of the replica: one record per request, and the pace they prove.

Kept in memory (the latest 100,000), on request also as JSON lines in a file,
flushed request by request so that a killed process loses nothing. A record is
written when its request ends, also when the client vanished (`complete` is then
false). Requests to the control API are not recorded.
"""

import asyncio
import dataclasses
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, TextIO

from aiohttp import web

RECORDS_KEPT = 100_000
# What arXiv's terms of use pace together: one request per 3 s, one at a time.
PACED_LANES = ("api", "oai")


@dataclass(slots=True, kw_only=True)
class Record:
    """One request.

    `serial` counts all requests, `number` those of the channel, both from 1. `started`
    and `ended` are seconds of the monotonic clock, `…_at` the wall clock. `open` is
    how many requests of the channel were under way when this one began, `connections`
    how many connections that had carried the channel were open; both count this one.
    `status` is None when no status line was sent, `bytes_sent` counts the body,
    `fault` names what was done to the request, `complete` tells whether the whole
    answer went out.
    """

    serial: int
    lane: str
    number: int
    method: str
    path: str
    peer: str
    user_agent: str
    open: int
    connections: int
    started: float
    started_at: str
    ended: float = 0.0
    ended_at: str = ""
    status: int | None = None
    bytes_sent: int = 0
    fault: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class RateLimiter:
    """What a log says about a client: the figures that arXiv's terms bound.

    `smallest_gap` is the shortest time in seconds between the starts of two
    requests (None with fewer than two), `most_open` the largest number of
    requests that were under way at one moment.
    """

    requests: int
    smallest_gap: float | None
    most_open: int


def pace_of(
    records: Iterable[Record | Mapping[str, Any]], lanes: Iterable[str] = PACED_LANES
) -> RateLimiter:
    """The pace that `records` (of `RequestLog`, or as JSON objects) prove for `lanes` together."""
    rows = [dataclasses.asdict(r) if isinstance(r, Record) else r for r in records]
    wanted = set(lanes)
    spans = sorted((row["started"], row["ended"]) for row in rows if row["lane"] in wanted)
    starts = [start for start, _ in spans]
    gaps = [after - before for before, after in pairwise(starts)]
    # an end at the very moment of a start comes first: the two did not overlap
    events = sorted([(end, -1) for _, end in spans] + [(start, 1) for start in starts])
    under_way = most = 0
    for _, step in events:
        under_way += step
        most = max(most, under_way)
    return RateLimiter(len(spans), min(gaps, default=None), most)


class RequestLog:
    """The records of the requests that have ended, in the order of their ends."""

    def __init__(self, file: Path | None = None) -> None:
        self.records: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self.open: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()
        self._serial = 0
        self._connections: dict[str, set[web.RequestHandler]] = {}
        self._changed = asyncio.Event()
        self._file: TextIO | None = file.open("a", encoding="utf-8") if file else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def begin(self, request: web.Request, lane: str) -> Record:
        """A record for a request that begins now."""
        self._serial += 1
        self._numbers[lane] += 1
        self.open[lane] += 1
        self._tell()
        return Record(
            serial=self._serial,
            lane=lane,
            number=self._numbers[lane],
            method=request.method,
            path=request.raw_path,
            peer=_peer(request),
            user_agent=request.headers.get("User-Agent", ""),
            open=self.open[lane],
            connections=self._count_connection(request, lane),
            started=time.monotonic(),
            started_at=_now(),
        )

    def end(self, record: Record) -> None:
        """The request of `record` has ended; whoever waits for it is told."""
        record.ended, record.ended_at = time.monotonic(), _now()
        self.open[record.lane] -= 1
        self.records.append(record)
        if self._file:
            self._file.write(json.dumps(dataclasses.asdict(record)) + "\n")
            self._file.flush()
        self._tell()

    def since(self, serial: int = 0, *, lane: str | None = None) -> list[Record]:
        """The records after `serial`, of one channel or of all, in the order of their ends."""
        return [r for r in self.records if r.serial > serial and lane in (None, r.lane)]

    def clear(self) -> None:
        """Forget all records; channels count from 1 again, serials go on."""
        self.records.clear()
        self._numbers.clear()

    async def wait_for(
        self, wanted: Callable[["RequestLog"], bool], *, timeout: float = 10.0
    ) -> None:
        """Return once `wanted(log)` holds, tried whenever a request begins or ends.

        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not wanted(self):
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _count_connection(self, request: web.Request, lane: str) -> int:
        connections = self._connections.setdefault(lane, set())
        closed = {one for one in connections if one.transport is None}
        connections -= closed
        connections.add(request.protocol)
        return len(connections)


def _peer(request: web.Request) -> str:
    name = request.transport.get_extra_info("peername") if request.transport else None
    return f"{name[0]}:{name[1]}" if name else ""


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
