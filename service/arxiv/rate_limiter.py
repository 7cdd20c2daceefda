"""arXiv's rules, kept by the whole fleet: one clock in PostgreSQL for all replicas.

arXiv allows one request every three seconds and one connection at a time over
its query API and OAI-PMH together, "across all machines under your control"
(info.arxiv.org/help/api/tou.html), and PDFs at up to four a second
(info.arxiv.org/help/bulk_data.html). `FleetRateLimiter` implements `RateLimiter` over a row
for each lane. A replica that dies with the turn blocks the others for one lease.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import structlog

from service.arxiv.pace import Channel, Slot
from service.db.engine import Database
from service.db.rate_limits import OUTAGE_ASKERS, RateLimitStore
from service.domain.errors import DatabaseUnavailable, UpstreamFaulty

# The gap is measured where requests arrive: a slow packet must not shrink it.
API_MARGIN = timedelta(milliseconds=50)
PDF_MARGIN = 1.1  # times the interval: no second may see more starts than are allowed in one
# What that leaves over a second: who starts later than this is too close to the next.
PDF_LATEST = timedelta(milliseconds=60)
MOST_BOOKINGS = 20
SHORTEST_LOOK = timedelta(milliseconds=20)
LONGEST_LOOK = timedelta(seconds=1)  # a turn may come free earlier than its lease says
FIRST_SILENCE = {Channel.API: timedelta(seconds=10), Channel.PDF: timedelta(seconds=60)}
FIRST_PAUSE = timedelta(seconds=3)  # of an outage, doubled each time that arXiv still is away
LONGEST_PAUSE = timedelta(minutes=1)
LONGEST_OUTAGE = timedelta(hours=1)  # after that, jobs may fail of it again
LONGEST_SILENCE = {Channel.API: timedelta(minutes=10), Channel.PDF: timedelta(hours=1)}
TURN_LOST = "the turn to ask arXiv was lost"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRateLimiter:
    """The pace of the fleet that shares `database`.

    `api_interval` lies between two starts on the API lane, `pdf_interval` on the
    PDF lane; `lease` is how long a replica that died keeps the others waiting.
    """

    database: Database
    api_interval: timedelta
    pdf_interval: timedelta
    lease: timedelta

    @asynccontextmanager
    async def api_slot(self) -> AsyncIterator[Slot]:
        """Hold the fleet's only turn on the API lane for the block.

        The next turn is one interval after the answer began to come, for only
        that proves that the request had arrived; and 50 ms more than an interval
        after this turn was taken.

        Raises UpstreamFaulty if the turn was lost meanwhile (the database was
        away for a lease): the block is cancelled then, before another may start.
        """
        holder = uuid4()
        await self._take(holder)
        body = asyncio.current_task()
        lost = asyncio.Event()
        keeper = asyncio.create_task(self._keep(holder, body, lost))
        turn = _Slot(partial(self._hold, holder))
        try:
            yield turn
        except asyncio.CancelledError:
            if lost.is_set() and body is not None and body.uncancel() == 0:
                raise UpstreamFaulty(TURN_LOST) from None
            raise
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
            await asyncio.shield(self._give_back(holder, turn))

    async def pdf_slot(self) -> None:
        """Return when a PDF request may start.

        Who comes too late for its booking, or finds that a silence has come while
        it slept, books anew: else all who booked before would start together.

        Raises UpstreamFaulty if this host was too late again and again.
        """
        late = 0
        while late < MOST_BOOKINGS:
            due = await self._booked()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            async with self.database.transaction() as conn:
                is_silent = await RateLimitStore(conn).cooldown_left(Channel.PDF) > timedelta(0)
            if is_silent:
                continue
            if asyncio.get_running_loop().time() - due <= PDF_LATEST.total_seconds():
                return
            late += 1
        raise UpstreamFaulty("this host is too busy to keep arXiv's pace")

    async def _booked(self) -> float:
        """Book the next start of a PDF; when that is (loop time)."""
        async with self.database.transaction() as conn:
            interval = self.pdf_interval * PDF_MARGIN
            delay = await RateLimitStore(conn).book(Channel.PDF, interval=interval)
            return asyncio.get_running_loop().time() + delay.total_seconds()

    async def silence(self, lane: Channel, delay: timedelta | None) -> timedelta:
        """Let nobody of the fleet ask on `lane` for `delay` (None: longer each time in a row)."""
        first, longest = FIRST_SILENCE[lane], LONGEST_SILENCE[lane]
        async with self.database.transaction() as conn:
            left = await RateLimitStore(conn).silence(lane, delay, first=first, longest=longest)
        _log.warning("arXiv asked for silence", lane=lane, seconds=round(left.total_seconds(), 1))
        return left

    async def cleared(self, lane: Channel) -> None:
        """Note that arXiv answers again on `lane`."""
        async with self.database.transaction() as conn:
            await RateLimitStore(conn).clear(lane)

    async def failed(self, lane: Channel, asker: str) -> timedelta | None:
        """Note that arXiv was away; how long the fleet waits if it is so for everybody."""
        async with self.database.transaction() as conn:
            noted = await RateLimitStore(conn).fail(
                lane, asker, first=FIRST_PAUSE, longest=LONGEST_PAUSE
            )
        if noted.askers < OUTAGE_ASKERS or noted.lasting > LONGEST_OUTAGE:
            return None
        left: timedelta = max(noted.left, timedelta(0))
        _log.warning("arXiv is away", lane=lane, seconds=round(left.total_seconds(), 1))
        return left

    async def _take(self, holder: UUID) -> None:
        interval = self.api_interval + API_MARGIN if self.api_interval else timedelta(0)
        while True:
            async with self.database.transaction() as conn:
                wait = await RateLimitStore(conn).take(
                    Channel.API, holder, interval=interval, lease=self.lease
                )
            if wait is None:
                return
            look = min(max(wait.delay, SHORTEST_LOOK), LONGEST_LOOK).total_seconds()
            await asyncio.sleep(look * random.uniform(1.0, 1.2))  # noqa: S311 - spreads replicas

    async def _keep(
        self, holder: UUID, body: asyncio.Task[object] | None, lost: asyncio.Event
    ) -> None:
        """Renew the turn; cancel the block before the lease lapses if that fails."""
        while await self._renewed(holder):
            pass
        lost.set()
        if body is not None:
            body.cancel()

    async def _renewed(self, holder: UUID) -> bool:
        await asyncio.sleep(self.lease.total_seconds() / 3)
        try:
            async with (
                asyncio.timeout(self.lease.total_seconds() / 3),
                self.database.transaction() as conn,
            ):
                return await RateLimitStore(conn).renew(Channel.API, holder, lease=self.lease)
        except (DatabaseUnavailable, TimeoutError):
            return False

    async def _hold(self, holder: UUID) -> None:
        """Raise UpstreamFaulty unless the turn still is the holder's: it may have slept long."""
        async with self.database.transaction() as conn:
            if not await RateLimitStore(conn).renew(Channel.API, holder, lease=self.lease):
                raise UpstreamFaulty(TURN_LOST)

    async def _give_back(self, holder: UUID, turn: "_Slot") -> None:
        pause = turn.pause(self.api_interval)
        try:
            async with self.database.transaction() as conn:
                await RateLimitStore(conn).give_back(Channel.API, holder, not_before=pause)
        except DatabaseUnavailable:
            _log.warning("turn not given back", lane=Channel.API)  # its lease will lapse


@dataclass(slots=True)
class _Slot:
    """What became of one turn: whether a request went out, and when its answer began."""

    hold: Callable[[], Awaitable[None]]
    has_asked: bool = False
    answered_at: float | None = None

    async def begin(self) -> None:
        """The request goes out; raises UpstreamFaulty if the turn was lost."""
        await self.hold()
        self.has_asked = True

    def answered(self) -> None:
        """The request has arrived."""
        self.answered_at = asyncio.get_running_loop().time()

    def pause(self, interval: timedelta) -> timedelta:
        """How long from now the next one has to wait for our sake."""
        if not self.has_asked:
            return timedelta(0)
        if self.answered_at is None:  # it may have arrived at any moment until now
            return interval
        ago = asyncio.get_running_loop().time() - self.answered_at
        return max(interval - timedelta(seconds=ago), timedelta(0))
