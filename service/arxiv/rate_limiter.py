"""Rate limiter for arXiv, fleet-wide: slots and cooldowns by the clock of PostgreSQL.

arXiv allows one request every three seconds and one connection at a time over
its query API and OAI-PMH together, "across all machines under your control"
(info.arxiv.org/help/api/tou.html), and PDFs at up to four a second
(info.arxiv.org/help/bulk_data.html). A crawler is to leave 15 s between two pages of HTML
(arxiv.org/robots.txt). `FleetRateLimiter` implements `RateLimiter` over a row
for each channel. A replica that dies with the slot blocks the others for one lease.

Only a short wait is waited for here. What takes longer (an outage, a cooldown, a
pause, a slot that others have for long) is raised, and the task comes back later.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import monotonic
from uuid import UUID, uuid4

import structlog

from service.arxiv.limits import Waits
from service.arxiv.pace import Channel, Slot
from service.db.engine import Database
from service.db.rate_limits import OUTAGE_FAILURES, RateLimitStore, Wait
from service.domain.channels import WaitReason
from service.domain.errors import ChannelClosed, DatabaseUnavailable, SlotMissed
from service.domain.measurements import UNMEASURED, Measurements

# The gap is measured where requests arrive: a slow packet must not shrink it.
API_MARGIN = timedelta(milliseconds=50)
PDF_MARGIN = 1.1  # times the interval: no second may see more starts than are allowed in one
# What that leaves over a second: who starts later than this is too close to the next.
PDF_LATEST = timedelta(milliseconds=60)
MOST_BOOKINGS = 20
SHORTEST_LOOK = timedelta(milliseconds=20)
LONGEST_LOOK = timedelta(seconds=1)  # a slot may come free earlier than its lease says
LONGEST_WAIT = timedelta(seconds=20)  # for a slot, in a worker's place
SPREAD = 0.1  # of waits that a channel is closed for: replicas do not come back together
PRECISION = timedelta(seconds=5)  # of the moment that arXiv last answered
LATELY = timedelta(seconds=30)  # an answer within this shows that arXiv is available
SLOT_LOST = "the slot to ask arXiv was lost"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRateLimiter:
    """The rate limit of the fleet that shares `database`.

    `api_interval` lies between two starts on the API channel, `pdf_interval` on the
    PDF channel, `html_interval` on the HTML channel; `lease` is how long a replica that
    died keeps the others waiting.
    """

    database: Database
    api_interval: timedelta
    pdf_interval: timedelta
    lease: timedelta
    html_interval: timedelta = timedelta(seconds=15)
    waits: Waits = field(default_factory=Waits)
    measurements: Measurements = UNMEASURED
    _answering: set[Channel] = field(default_factory=set)  # as of the last booking here

    def api_slot(
        self, rank: int = 0, *, is_plain: bool = False
    ) -> AbstractAsyncContextManager[Slot]:
        """Hold the fleet's only slot on the API channel: see `_held_slot`."""
        return self._held_slot(Channel.API, rank, is_plain=is_plain)

    def html_slot(
        self, rank: int = 0, *, is_plain: bool = False
    ) -> AbstractAsyncContextManager[Slot]:
        """Hold the fleet's only slot on the HTML channel: see `_held_slot`."""
        return self._held_slot(Channel.HTML, rank, is_plain=is_plain)

    @asynccontextmanager
    async def _held_slot(
        self, channel: Channel, rank: int, *, is_plain: bool
    ) -> AsyncIterator[Slot]:
        """Hold the fleet's only slot on the channel for the block.

        The next slot is one interval after the answer began to come, which proves that the
        request had arrived, and 50 ms more than an interval after this slot was taken.

        Raises ChannelClosed, and SlotMissed if the slot did not come in a while or was lost
        (no database for a lease: the block is cancelled before another may start).
        """
        holder, asked_at = uuid4(), monotonic()
        await self._take(channel, holder, rank, is_plain=is_plain)
        self.measurements.slot_taken(channel, monotonic() - asked_at)
        body = asyncio.current_task()
        lost = asyncio.Event()
        keeper = asyncio.create_task(self._keep(channel, holder, body, lost))
        slot = _Slot(partial(self._hold, channel, holder))
        try:
            yield slot
        except asyncio.CancelledError:
            if lost.is_set() and body is not None and body.uncancel() == 0:
                raise SlotMissed(SLOT_LOST) from None
            raise
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
            await asyncio.shield(self._give_back(channel, holder, slot))

    async def pdf_slot(self, *, is_plain: bool = False) -> None:
        """Return when a PDF request may start.

        Who comes too late for its booking books anew, and who finds that the channel
        was closed while it slept does not start: else all who booked before would
        start together.

        Raises ChannelClosed, and SlotMissed if this host was too late again and again.
        """
        asked_at = monotonic()
        for _ in range(MOST_BOOKINGS):
            due = await self._booked(is_plain=is_plain)
            delay = due - asyncio.get_running_loop().time()
            if delay > 0:
                await asyncio.sleep(delay)
                await self._check_open()
            if asyncio.get_running_loop().time() - due <= PDF_LATEST.total_seconds():
                self.measurements.slot_taken(Channel.PDF, monotonic() - asked_at)
                return
        raise SlotMissed("this host is too busy to keep arXiv's rate limit")

    async def _check_open(self) -> None:
        async with self.database.transaction() as conn:
            store = RateLimitStore(conn)
            closed = await store.closed(Channel.PDF, self.pdf_interval, counts_outage=False)
        _raise_closed(closed)

    async def _booked(self, *, is_plain: bool) -> float:
        """Book the next start of a PDF; when that is (loop time)."""
        async with self.database.transaction() as conn:
            store = RateLimitStore(conn)
            booked = await store.book(
                Channel.PDF,
                interval=self.pdf_interval * PDF_MARGIN,
                probe=_spread(self.waits.probe),
                precision=PRECISION,
                is_plain=is_plain,
            )
            if booked is not None and booked.delay > LONGEST_WAIT:  # the booking is undone
                raise SlotMissed("many PDFs are waiting for their slots", booked.delay)
            closed = None
            if booked is None:
                closed = await store.closed(Channel.PDF, self.pdf_interval)
            now = asyncio.get_running_loop().time()
        _raise_closed(closed)
        if booked is None:
            raise SlotMissed("the channel was closed a moment ago")
        if booked.is_answering:
            self._answering.add(Channel.PDF)
        else:
            self._answering.discard(Channel.PDF)
        return now + booked.delay.total_seconds()

    async def cooldown(
        self,
        channel: Channel,
        wish: timedelta | None,
        *,
        is_block: bool = False,
        status: int | None = None,
    ) -> ChannelClosed:
        """Let nobody of the fleet ask for `wish` (None: longer each time in a row)."""
        waits = self.waits
        self._answering.discard(channel)
        first, longest = waits.cooldown, waits.longest_cooldown
        if is_block:
            first, longest = waits.block, waits.longest_block
        async with self.database.transaction() as conn:
            store = RateLimitStore(conn)
            left = await store.cool_down(
                channel, wish, first=first, longest=longest, is_block=is_block
            )
            closed = await store.closed(channel, self._interval(channel))
            if status is not None:
                await store.count_refusal(channel, status)
        seconds = round(left.total_seconds(), 1)
        _log.warning("arxiv cooldown", channel=channel, seconds=seconds, is_block=is_block)
        delay = left if closed is None else closed.delay
        return ChannelClosed(WaitReason.ARXIV_COOLDOWN, delay, is_block=is_block)

    async def failed(self, channel: Channel, reason: str) -> ChannelClosed:
        """Note that a request had no answer; it is repeated, and from the third on all wait."""
        waits = self.waits
        self._answering.discard(channel)
        async with self.database.transaction() as conn:
            store = RateLimitStore(conn)
            failures = await store.fail(
                channel, reason, third=_spread(waits.outage * 4), probe=_spread(waits.probe)
            )
            closed = await store.closed(channel, self._interval(channel))
        if closed is None or failures < OUTAGE_FAILURES:
            delay = _spread(waits.outage * float(2 ** (min(failures, OUTAGE_FAILURES) - 1)))
            return ChannelClosed(WaitReason.ARXIV_UNAVAILABLE, delay)
        return ChannelClosed(WaitReason.ARXIV_UNAVAILABLE, closed.delay)

    async def answered(self, channel: Channel) -> None:
        """Note that arXiv answers on the channel, unless the last booking found that noted."""
        if channel in self._answering:
            return
        async with self.database.transaction() as conn:
            await RateLimitStore(conn).answer(channel, precision=PRECISION)

    async def answered_lately(self, channel: Channel) -> bool:
        """Whether arXiv has answered within half a minute, and not failed since."""
        async with self.database.transaction() as conn:
            return await RateLimitStore(conn).answered_within(channel, LATELY)

    def _interval(self, channel: Channel) -> timedelta:
        intervals = {Channel.API: self.api_interval, Channel.PDF: self.pdf_interval}
        return intervals.get(channel, self.html_interval)

    async def _take(self, channel: Channel, holder: UUID, rank: int, *, is_plain: bool) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + LONGEST_WAIT.total_seconds()
        is_waiting = False
        try:
            while loop.time() < ends_at:
                wait = await self._taken(channel, holder, rank, is_plain=is_plain)
                if wait is None:
                    return
                is_waiting = True
                look = min(max(wait.delay, SHORTEST_LOOK), LONGEST_LOOK).total_seconds()
                await asyncio.sleep(look * random.uniform(1.0, 1.2))  # noqa: S311 - spreads replicas
            raise SlotMissed("others have been asking arXiv all the time", self._interval(channel))
        except DatabaseUnavailable:
            raise  # whoever waited counts as gone soon
        except BaseException:
            if is_waiting:
                await asyncio.shield(self._leave(channel, holder))
            raise

    async def _taken(
        self, channel: Channel, holder: UUID, rank: int, *, is_plain: bool
    ) -> Wait | None:
        """None if the slot is the holder's; raises ChannelClosed."""
        interval = self._interval(channel)
        interval += API_MARGIN if interval else timedelta(0)
        async with self.database.transaction() as conn:
            wait = await RateLimitStore(conn).take(
                channel,
                holder,
                rank=rank,
                interval=interval,
                lease=self.lease,
                probe=_spread(self.waits.probe),
                is_plain=is_plain,
            )
        _raise_closed(wait)
        return wait

    async def _leave(self, channel: Channel, holder: UUID) -> None:
        try:
            async with self.database.transaction() as conn:
                await RateLimitStore(conn).leave(channel, holder)
        except DatabaseUnavailable:
            pass  # it counts as gone soon

    async def _keep(
        self,
        channel: Channel,
        holder: UUID,
        body: asyncio.Task[object] | None,
        lost: asyncio.Event,
    ) -> None:
        """Renew the slot; cancel the block before the lease lapses if that fails."""
        while await self._renewed(channel, holder):
            pass
        lost.set()
        if body is not None:
            body.cancel()

    async def _renewed(self, channel: Channel, holder: UUID) -> bool:
        await asyncio.sleep(self.lease.total_seconds() / 3)
        try:
            async with (
                asyncio.timeout(self.lease.total_seconds() / 3),
                self.database.transaction() as conn,
            ):
                return await RateLimitStore(conn).renew(channel, holder, lease=self.lease)
        except (DatabaseUnavailable, TimeoutError):
            return False

    async def _hold(self, channel: Channel, holder: UUID) -> None:
        """Raise unless the slot is still the holder's, and the channel open to it."""
        async with self.database.transaction() as conn:
            store = RateLimitStore(conn)
            closed = await store.closed(channel, self._interval(channel), counts_outage=False)
            is_ours = await store.renew(channel, holder, lease=self.lease)
        _raise_closed(closed)
        if not is_ours:
            raise SlotMissed(SLOT_LOST)

    async def _give_back(self, channel: Channel, holder: UUID, slot: "_Slot") -> None:
        pause = slot.pause(self._interval(channel))
        try:
            async with self.database.transaction() as conn:
                await RateLimitStore(conn).give_back(channel, holder, not_before=pause)
        except DatabaseUnavailable:
            _log.warning("rate limit slot not released", channel=channel)  # its lease lapses


def _raise_closed(wait: Wait | None) -> None:
    """Raise ChannelClosed where a wait has a reason."""
    if wait is not None and wait.reason is not None:
        raise ChannelClosed(wait.reason, wait.delay, is_block=wait.is_block)


def _spread(delay: timedelta) -> timedelta:
    return delay * random.uniform(1.0, 1.0 + SPREAD)  # noqa: S311 - spreads replicas


@dataclass(slots=True)
class _Slot:
    """What became of one slot: whether a request went out, and when its answer began."""

    hold: Callable[[], Awaitable[None]]
    has_asked: bool = False
    answered_at: float | None = None

    async def begin(self) -> None:
        """The request goes out; raises ChannelClosed or SlotMissed if it may not any more."""
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
