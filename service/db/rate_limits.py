"""The fleet's clock towards arXiv in SQL: who may ask next, and when.

One row per lane. The database clock decides, because the hosts' clocks differ.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Row,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import upstream_pace

OUTAGE_ASKERS = 3  # so many, one after the other, cannot all have asked for something bad

_NOW: ColumnElement[object] = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: how long it takes at least until the answer can be another."""

    delay: timedelta


class RateLimitStore:
    """All SQL on `upstream_pace`; each call is a short transaction of its own."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def take(
        self, lane: str, holder: UUID, *, interval: timedelta, lease: timedelta
    ) -> Wait | None:
        """Take the turn if it is free and due (None), else say how long to wait.

        The turn is `holder`'s for `lease`, and the next may start `interval`
        after this moment at the earliest.
        """
        pace = upstream_pace.c
        is_free = or_(pace.holder.is_(None), pace.held_until < _NOW)
        is_silent = pace.silent_until > _NOW
        taken = await self._conn.execute(
            update(upstream_pace)
            .where(pace.lane == lane, pace.next_at <= _NOW, is_free, is_silent.is_not(True))
            .values(
                holder=holder,
                held_until=_NOW + lease,
                next_at=_NOW + interval,
                turns=pace.turns + 1,
            )
        )
        if taken.rowcount == 1:
            return None
        held = case((is_free, null()), else_=pace.held_until)
        until = func.greatest(pace.next_at, pace.silent_until, held) - _NOW
        delay: timedelta = (
            await self._conn.execute(select(until).where(pace.lane == lane))
        ).scalar_one()
        return Wait(max(delay, timedelta(0)))

    async def renew(self, lane: str, holder: UUID, *, lease: timedelta) -> bool:
        """Hold the turn for another `lease`; False when it was lost."""
        pace = upstream_pace.c
        renewed = await self._conn.execute(
            update(upstream_pace)
            .where(pace.lane == lane, pace.holder == holder, pace.held_until >= _NOW)
            .values(held_until=_NOW + lease)
        )
        return renewed.rowcount == 1

    async def give_back(
        self, lane: str, holder: UUID, *, not_before: timedelta = timedelta(0)
    ) -> None:
        """Let the next one in as soon as it is due, and no sooner than `not_before` from now."""
        pace = upstream_pace.c
        await self._conn.execute(
            update(upstream_pace)
            .where(pace.lane == lane, pace.holder == holder)
            .values(
                holder=None,
                held_until=None,
                next_at=func.greatest(pace.next_at, _NOW + not_before),
            )
        )

    async def book(self, lane: str, *, interval: timedelta) -> timedelta:
        """Book the next start on the lane; returns how long it is until then (≥ 0).

        Bookings are `interval` apart and in the order in which they were made.
        """
        pace = upstream_pace.c
        start = func.greatest(pace.next_at, pace.silent_until, _NOW)
        booked = (
            update(upstream_pace)
            .where(pace.lane == lane)
            .values(next_at=start + interval, turns=pace.turns + 1)
            .returning(pace.next_at - interval - _NOW)
        )
        delay: timedelta = (await self._conn.execute(booked)).scalar_one()
        return max(delay, timedelta(0))

    async def cooldown_left(self, lane: str) -> timedelta:
        """How much longer nobody may ask on the lane (0: one may)."""
        pace = upstream_pace.c
        left = func.coalesce(pace.silent_until - _NOW, timedelta(0))
        delay: timedelta = (
            await self._conn.execute(select(left).where(pace.lane == lane))
        ).scalar_one()
        return max(delay, timedelta(0))

    async def silence(
        self, lane: str, delay: timedelta | None, *, first: timedelta, longest: timedelta
    ) -> timedelta:
        """Let nobody ask on the lane for `delay`, or longer if that was said before.

        None: a silence of our own, `first` doubled with every strike in a row, at
        most `longest`. Returns how long the silence lasts from now.
        """
        pace = upstream_pace.c
        own = func.least(first * func.power(2, func.least(pace.strikes, 20)), longest)
        until = _NOW + (own if delay is None else delay)
        until = cast(until, DateTime(timezone=True))
        set_ = (
            update(upstream_pace)
            .where(pace.lane == lane)
            .values(
                silent_until=func.greatest(pace.silent_until, until),
                strikes=pace.strikes + 1,
                refusals=pace.refusals + 1,
            )
            .returning(pace.silent_until - _NOW)
        )
        left: timedelta = (await self._conn.execute(set_)).scalar_one()
        return left

    async def fail(
        self, lane: str, asker: str, *, first: timedelta, longest: timedelta
    ) -> Row[Any]:
        """Note that a request for `asker` found nobody.

        Once `OUTAGE_ASKERS` different ones did so in a row, the lane falls silent
        (unless it is): for `first`, doubled each time, at most `longest`. Returns
        `askers` (how many so far), `left` (of the silence) and `lasting`.
        """
        pace = upstream_pace.c
        is_known = or_(
            literal(asker) == any_(pace.failing), func.cardinality(pace.failing) >= OUTAGE_ASKERS
        )
        failing = case((is_known, pace.failing), else_=func.array_append(pace.failing, asker))
        starts_silence = and_(
            func.cardinality(failing) >= OUTAGE_ASKERS, (pace.silent_until > _NOW).is_not(True)
        )
        until = _NOW + func.least(first * func.power(2, func.least(pace.strikes, 20)), longest)
        noted = (
            update(upstream_pace)
            .where(pace.lane == lane)
            .values(
                failing=failing,
                failing_since=func.coalesce(pace.failing_since, _NOW),
                strikes=pace.strikes + case((starts_silence, 1), else_=0),
                silent_until=case(
                    (starts_silence, cast(until, DateTime(timezone=True))), else_=pace.silent_until
                ),
            )
            .returning(
                func.cardinality(pace.failing).label("askers"),
                func.coalesce(pace.silent_until - _NOW, timedelta(0)).label("left"),
                (_NOW - pace.failing_since).label("lasting"),
            )
        )
        return (await self._conn.execute(noted)).one()

    async def clear(self, lane: str) -> None:
        """Note that arXiv answers again."""
        pace = upstream_pace.c
        await self._conn.execute(
            update(upstream_pace)
            .where(pace.lane == lane, or_(pace.strikes > 0, pace.failing_since.is_not(None)))
            .values(strikes=0, failing=[], failing_since=None)
        )
