"""Rate limit towards arXiv in SQL: slots, cooldowns, outages and pauses of each channel.

One row per channel, each decision one statement: the row is locked by it, and
the database clock decides, because the hosts' clocks differ. Three things close
a channel: a pause, a cooldown, and an outage of three unanswered requests in a
row, which lets one request of the fleet through at `retry_at`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import fleet_counters, upstream_pace
from service.domain.channels import Availability, Channel, ChannelState, WaitReason

OUTAGE_FAILURES = 3  # unanswered requests in a row, after which all wait
PAUSE_CHECK = timedelta(seconds=5)  # until tasks look whether a pause is over
REFUSALS = "refusals."  # in names of counters: refusals.<channel>.<HTTP status>
WAITER_GONE = timedelta(seconds=3)  # without asking again

_NOW: ColumnElement[Any] = func.clock_timestamp()
_NOTHING = timedelta(0)
_pace = upstream_pace.c


@dataclass(frozen=True, slots=True)
class Booking:
    """A start on a channel, `delay` from now; `is_answering`: there is nothing to note of it."""

    delay: timedelta
    is_answering: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. Without a reason the slot only is another's: `delay` is the least wait."""

    delay: timedelta
    reason: WaitReason | None = None
    is_block: bool = False


def _is_down() -> ColumnElement[bool]:
    return and_(_pace.failures >= OUTAGE_FAILURES, _pace.retry_at > _NOW).is_(True)


def _is_cooling() -> ColumnElement[bool]:
    return (_pace.silent_until > _NOW).is_(True)


def _is_news(precision: timedelta) -> ColumnElement[bool]:
    """Whether an answer of arXiv now would change what is known of the channel."""
    return or_(
        _pace.failures > 0,
        and_(_pace.strikes > 0, _is_cooling().is_(False)),
        _pace.waiting_from.is_not(None),
        (_pace.answered_at > _NOW - precision).is_not(True),
    )


def _closed(*, counts_outage: bool = True) -> ColumnElement[Any]:
    """Why the channel is closed, as a WaitReason; null when it is open."""
    reasons = [
        (_pace.paused_since.is_not(None), literal(str(WaitReason.ARXIV_PAUSED))),
        (_is_cooling(), literal(str(WaitReason.ARXIV_COOLDOWN))),
    ]
    if counts_outage:
        reasons.append((_is_down(), literal(str(WaitReason.ARXIV_UNAVAILABLE))))
    return case(*reasons)


def _moment(expression: Any) -> ColumnElement[Any]:  # noqa: ANN401 - moments plus intervals
    return cast(expression, DateTime(timezone=True))


class RateLimitStore:
    """All SQL on `upstream_pace`; each call is a short transaction of its own."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def take(
        self,
        channel: Channel,
        holder: UUID,
        *,
        rank: int,
        interval: timedelta,
        lease: timedelta,
        probe: timedelta,
        is_plain: bool = False,
    ) -> Wait | None:
        """Take the slot if it is free and due (None), else say how long to wait.

        The slot is `holder`'s for `lease`, and the next may start `interval`
        after this moment at the earliest; in an outage, `probe` after it. Of those
        who ask again and again, the one of the highest `rank` gets it. With
        `is_plain` an outage does not matter.
        """
        is_free = or_(_pace.holder.is_(None), _pace.held_until < _NOW)
        is_first = or_(
            _pace.waiter.is_(None),
            _pace.waiter == holder,
            _pace.waiter_until < _NOW,
            _pace.waiter_rank < rank,
        )
        is_open = and_(_pace.paused_since.is_(None), _is_cooling().is_(False))
        if not is_plain:
            is_open = and_(is_open, _is_down().is_(False))
        taken = await self._conn.execute(
            update(upstream_pace)
            .where(_pace.channel == channel, _pace.next_at <= _NOW, is_free, is_open, is_first)
            .values(
                holder=holder,
                held_until=_NOW + lease,
                next_at=_NOW + interval,
                retry_at=self._next_probe(probe),
                turns=_pace.turns + 1,
                waiter=null(),
                waiter_rank=null(),
                waiter_until=null(),
            )
        )
        if taken.rowcount == 1:
            return None
        return await self._wait(channel, holder, rank, interval, is_first, is_free)

    async def _wait(
        self,
        channel: Channel,
        holder: UUID,
        rank: int,
        interval: timedelta,
        is_first: ColumnElement[bool],
        is_free: ColumnElement[bool],
    ) -> Wait:
        if (closed := await self.closed(channel, interval)) is not None:
            return closed
        held = case((is_free, null()), else_=_pace.held_until)
        waits = (
            update(upstream_pace)
            .where(_pace.channel == channel)
            .values(
                waiter=case((is_first, literal(holder)), else_=_pace.waiter),
                waiter_rank=case((is_first, literal(rank)), else_=_pace.waiter_rank),
                waiter_until=case(
                    (is_first, _moment(_NOW + WAITER_GONE)), else_=_pace.waiter_until
                ),
            )
            .returning(func.greatest(_pace.next_at, held) - _NOW)
        )
        delay: timedelta = (await self._conn.execute(waits)).scalar_one()
        return Wait(max(delay, _NOTHING))

    def _next_probe(self, probe: timedelta) -> ColumnElement[Any]:
        """In an outage: when the request after this one may find out whether it is over."""
        is_probe = _pace.failures >= OUTAGE_FAILURES
        return case((is_probe, _moment(_NOW + probe)), else_=_pace.retry_at)

    async def leave(self, channel: Channel, holder: UUID) -> None:
        """Wait for the slot no longer."""
        await self._conn.execute(
            update(upstream_pace)
            .where(_pace.channel == channel, _pace.waiter == holder)
            .values(waiter=None, waiter_rank=None, waiter_until=None)
        )

    async def renew(self, channel: Channel, holder: UUID, *, lease: timedelta) -> bool:
        """Hold the slot for another `lease`; False when it was lost."""
        renewed = await self._conn.execute(
            update(upstream_pace)
            .where(_pace.channel == channel, _pace.holder == holder, _pace.held_until >= _NOW)
            .values(held_until=_NOW + lease)
        )
        return renewed.rowcount == 1

    async def give_back(
        self, channel: Channel, holder: UUID, *, not_before: timedelta = _NOTHING
    ) -> None:
        """Let the next one in as soon as it is due, and no sooner than `not_before` from now."""
        await self._conn.execute(
            update(upstream_pace)
            .where(_pace.channel == channel, _pace.holder == holder)
            .values(
                holder=None,
                held_until=None,
                next_at=func.greatest(_pace.next_at, _NOW + not_before),
            )
        )

    async def book(
        self,
        channel: Channel,
        *,
        interval: timedelta,
        probe: timedelta,
        precision: timedelta,
        is_plain: bool = False,
    ) -> Booking | None:
        """Book the next start on the channel; None when it is closed.

        Bookings are `interval` apart and in the order in which they were made. `precision`:
        see `answer`, which would have nothing to write now where the channel `is_answering`.
        """
        is_closed = _closed(counts_outage=not is_plain)
        start = func.greatest(_pace.next_at, _NOW)
        booked = (
            update(upstream_pace)
            .where(_pace.channel == channel, is_closed.is_(None))
            .values(
                next_at=start + interval,
                turns=_pace.turns + 1,
                retry_at=self._next_probe(probe),
            )
            .returning(_pace.next_at - interval - _NOW, ~_is_news(precision))
        )
        row = (await self._conn.execute(booked)).one_or_none()
        return None if row is None else Booking(max(row[0], _NOTHING), row[1])

    async def closed(
        self, channel: Channel, interval: timedelta, *, counts_outage: bool = True
    ) -> Wait | None:
        """Why nobody may ask on the channel now and when to come back; None when one may.

        Those who are told come back one after the other, `interval` apart, so that
        they are no more trouble than they will be when the channel is open. Without
        `counts_outage` (for who is to find out whether it is over) that is no reason.
        """
        reason = _closed(counts_outage=counts_outage)
        opens = func.greatest(
            case((_is_down(), _pace.retry_at)),
            case((_is_cooling(), _pace.silent_until)),
            case((_pace.paused_since.is_not(None), _moment(_NOW + PAUSE_CHECK))),
        )
        waits = (
            update(upstream_pace)
            .where(_pace.channel == channel, reason.is_not(None))
            .values(waiting_from=func.greatest(_pace.waiting_from, opens) + interval)
            .returning(
                reason.label("reason"), _pace.waiting_from - interval - _NOW, _pace.is_blocked
            )
        )
        row = (await self._conn.execute(waits)).one_or_none()
        if row is None or row.reason is None:  # or it has opened between the row and the answer
            return None
        return Wait(max(row[1], _NOTHING), WaitReason(row.reason), row.is_blocked)

    async def cool_down(
        self,
        channel: Channel,
        wish: timedelta | None,
        *,
        first: timedelta,
        longest: timedelta,
        is_block: bool = False,
    ) -> timedelta:
        """Close the channel for `wish`, without one for `first`, doubled each time in a row.

        Refusals of requests that were under way when a cooldown began are part of it.
        Returns how long it still is.
        """
        is_new = _is_cooling().is_(False)
        in_a_row = case((_pace.is_blocked == is_block, _pace.strikes), else_=0)
        own = func.least(first * func.power(2, func.least(in_a_row, 20)), longest)
        until = _moment(_NOW + (own if wish is None else literal(wish, Interval())))
        if wish is None:
            until = case((is_new, until), else_=_pace.silent_until)
        statement = (
            update(upstream_pace)
            .where(_pace.channel == channel)
            .values(
                silent_until=func.greatest(_pace.silent_until, until),
                cooldown_since=func.coalesce(_pace.cooldown_since, _NOW),
                strikes=case((is_new, in_a_row + 1), else_=_pace.strikes),
                is_blocked=is_block,
                refusals=_pace.refusals + 1,
                **_NO_OUTAGE,
            )
            .returning(_pace.silent_until - _NOW)
        )
        left: timedelta = (await self._conn.execute(statement)).scalar_one()
        return left

    async def count_refusal(self, channel: Channel, status: int) -> None:
        """One more answer with this HTTP status that asked to wait, or refused us."""
        one = insert(fleet_counters).values(name=f"{REFUSALS}{channel}.{status:d}", value=1)
        await self._conn.execute(
            one.on_conflict_do_update(
                index_elements=[fleet_counters.c.name],
                set_={"value": fleet_counters.c.value + 1},
            )
        )

    async def fail(
        self, channel: Channel, reason: str, *, third: timedelta, probe: timedelta
    ) -> int:
        """Note that a request had no answer; returns how many had none in a row.

        The third closes the channel for `third`, each one after it for `probe`.
        """
        count = _pace.failures + 1
        pause = case((count == OUTAGE_FAILURES, literal(third, Interval())), else_=probe)
        retry_at = func.greatest(_pace.retry_at, _moment(_NOW + pause))
        statement = (
            update(upstream_pace)
            .where(_pace.channel == channel)
            .values(
                failures=count,
                failing_since=func.coalesce(_pace.failing_since, _NOW),
                reason=reason,
                retry_at=case((count >= OUTAGE_FAILURES, retry_at), else_=_pace.retry_at),
            )
            .returning(_pace.failures)
        )
        failures: int = (await self._conn.execute(statement)).scalar_one()
        return failures

    async def answer(self, channel: Channel, *, precision: timedelta) -> None:
        """Note that arXiv answers; nothing is written if that is known for `precision` already.

        An answer that comes in a cooldown is to a request from before.
        """
        is_cooling = _is_cooling()
        await self._conn.execute(
            update(upstream_pace)
            .where(_pace.channel == channel, _is_news(precision))
            .values(
                answered_at=_NOW,
                strikes=case((is_cooling, _pace.strikes), else_=0),
                cooldown_since=case((is_cooling, _pace.cooldown_since)),
                is_blocked=and_(is_cooling, _pace.is_blocked),
                waiting_from=case((is_cooling, _pace.waiting_from)),
                **_NO_OUTAGE,
            )
        )

    async def answered_within(self, channel: Channel, span: timedelta) -> bool:
        """Whether arXiv has given a proper answer on the channel within `span`, and none failed."""
        lately = and_(_pace.answered_at > _NOW - span, _pace.failures == 0).is_(True)
        found = await self._conn.execute(select(lately).where(_pace.channel == channel))
        return bool(found.scalar_one())

    async def pause(self) -> datetime:
        """Stop all requests of the fleet; since when they are. Like `SELECT pause_arxiv()`."""
        since: datetime = (await self._conn.execute(select(func.pause_arxiv()))).scalar_one()
        return since

    async def resume(self) -> None:
        """Let requests go out again. Like `SELECT resume_arxiv()`."""
        await self._conn.execute(select(func.resume_arxiv()))

    async def channels(self) -> list[ChannelState]:
        """All channels as they are now, in the order of `Channel`."""
        state = case(
            (_pace.paused_since.is_not(None), literal(str(Availability.PAUSED))),
            (_is_cooling(), literal(str(Availability.COOLDOWN))),
            (_pace.failing_since.is_not(None), literal(str(Availability.UNAVAILABLE))),
            else_=literal(str(Availability.AVAILABLE)),
        )
        since = case(
            (_pace.paused_since.is_not(None), _pace.paused_since),
            (_is_cooling(), _pace.cooldown_since),
            else_=_pace.failing_since,
        )
        down_until = case((_is_down(), _pace.retry_at))
        statement = select(
            _pace.channel,
            state.label("state"),
            since.label("since"),
            func.greatest(_pace.next_at, _pace.silent_until, down_until).label("next_slot_at"),
            case((_is_cooling(), _pace.silent_until)).label("cooldown_until"),
            _pace.reason,
            _pace.failing_since.is_(None).label("answers"),
        )
        found = [
            ChannelState(
                channel=Channel(row.channel),
                state=Availability(row.state),
                since=row.since,
                next_slot_at=row.next_slot_at,
                cooldown_until=row.cooldown_until,
                reason=row.reason,
                answers=row.answers,
            )
            for row in await self._conn.execute(statement)
        ]
        return sorted(found, key=lambda one: list(Channel).index(one.channel))


_NO_OUTAGE: dict[str, Any] = {
    "failures": 0,
    "failing_since": None,
    "failing": [],
    "reason": None,
    "retry_at": None,
}
