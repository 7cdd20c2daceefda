"""The change feed in SQL: put in order, read from a place on, trimmed at its beginning.

Rows are written by triggers, in the transaction that changes a paper. A transaction that
commits late must not appear before what a reader has seen, so places are given after the
commit (`order`), under a lock, and readers see only what has one. An open transaction
therefore holds up its own changes and no others.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Row,
    Select,
    and_,
    cast,
    delete,
    func,
    lateral,
    literal,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text, Uuid

from service.db.change_tables import paper_change_batches, paper_change_feed, paper_changes
from service.db.engine import Database
from service.db.notifications import listen
from service.domain.changes import Change, ChangeKind, ChangePage, Feed, Place

CHANNEL = "paper_changed"
LISTENER = "arxiv-ingestion feed listener"
SCANNED_AT_ONCE = 5_000  # changes of which those of the wanted kinds are picked
TRIMMED_AT_ONCE = 5_000

_OF_FILES = ("pdf", "text", "document")  # subjects
_SHOWN = [paper_changes.c[name] for name in ("id", "at", "arxiv_id", "version", "kind", "job_id")]

_HELD_UP = text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - a.xact_start)), 0)"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.relation = 'paper_changes'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def hear_changes(database: Database, heard: Callable[[], None]) -> None:
    """Call `heard` (no arguments) at each commit that changed a paper, until cancelled."""
    await listen(database.dsn, CHANNEL, lambda _: heard(), name=LISTENER, outages=database.outages)


class ChangeStore:
    """All SQL on the change feed, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def order(self) -> int:
        """Give places to what has been committed; returns the last position.

        Commit soon: others who order wait for it. Where the database only reads, nothing is
        ordered.
        """
        statement = select(func.order_paper_changes())
        return int((await self._conn.execute(statement)).scalar_one())

    async def feed(self) -> Feed:
        """Where the feed begins and ends."""
        one = paper_change_feed.c
        is_behind = func.current_setting("transaction_read_only") == "on"
        statement = select(one.last_position, one.trimmed_position, one.trimmed_id, is_behind)
        row = (await self._conn.execute(statement)).one_or_none()
        if row is None:
            return Feed(0, Place(0, 0))
        return Feed(row[0], Place(row[1], row[2]), row[3])

    async def tail(self) -> Place:
        """The place of the last change that has one, or of where the feed was trimmed."""
        batch = paper_change_batches.c
        statement = (
            select(batch.position, paper_changes.c.id)
            .join_from(paper_change_batches, paper_changes, paper_changes.c.batch_id == batch.id)
            .where(batch.position.is_not(None))
            .order_by(batch.position.desc(), paper_changes.c.id.desc())
            .limit(1)
        )
        row = (await self._conn.execute(statement)).one_or_none()
        return (await self.feed()).trimmed if row is None else Place(*row)

    async def page(
        self, after: Place, *, limit: int, kinds: Collection[ChangeKind] = ()
    ) -> ChangePage:
        """At most `limit` changes behind `after`, of these kinds (empty: of all).

        With kinds a bounded stretch of the feed is read; where it held none the page is
        empty, and goes on at its end.
        """
        scanned = SCANNED_AT_ONCE if kinds else limit
        rows = [
            *await self._rest_of_batch(after, scanned + 1),
            *await self._batches_behind(after, scanned + 1),
        ]
        is_last, rows = len(rows) <= scanned, rows[:scanned]
        wanted = [row for row in rows if not kinds or row.kind in kinds]
        if len(wanted) > limit:
            wanted = wanted[:limit]
            return ChangePage(tuple(map(_change, wanted)), _place(wanted[-1]), is_last=False)
        end = _place(rows[-1]) if rows else after
        return ChangePage(tuple(map(_change, wanted)), end, is_last)

    async def _rest_of_batch(self, after: Place, limit: int) -> list[Row[Any]]:
        statement: Select[Any] = (
            select(literal(after.position, BigInteger).label("position"), *_SHOWN)
            .where(
                paper_changes.c.batch_id
                == select(paper_change_batches.c.id)
                .where(paper_change_batches.c.position == after.position)
                .scalar_subquery(),
                paper_changes.c.id > after.id,
            )
            .order_by(paper_changes.c.id)
            .limit(limit)
        )
        return list((await self._conn.execute(statement)).all())

    async def _batches_behind(self, after: Place, limit: int) -> list[Row[Any]]:
        """Of each batch no more than is wanted is read: one may hold every paper there is."""
        batch = paper_change_batches.c
        some = lateral(
            select(*_SHOWN)
            .where(paper_changes.c.batch_id == batch.id)
            .order_by(paper_changes.c.id)
            .limit(limit)
        ).alias("some")
        statement: Select[Any] = (
            select(batch.position, *some.c)
            .select_from(paper_change_batches.join(some, true()))
            .where(batch.position > after.position)
            .order_by(batch.position, some.c.id)
            .limit(limit)
        )
        return list((await self._conn.execute(statement)).all())

    async def trim(self, *, older_than: timedelta) -> int:
        """Remove the beginning of the feed as far as it is older; returns how many changes.

        At most `TRIMMED_AT_ONCE`; 0 also while somebody else has the feed's lock.
        """
        feed = select(paper_change_feed).with_for_update(skip_locked=True)
        row = (await self._conn.execute(feed)).one_or_none()
        if row is None:
            return 0
        old = await self._old_changes(Place(row.trimmed_position, row.trimmed_id), older_than)
        if not old:
            return 0
        await self._remove_until(old[-1])
        await self._conn.execute(
            update(paper_change_feed).values(
                trimmed_position=old[-1].position, trimmed_id=old[-1].id
            )
        )
        return len(old)

    async def _old_changes(self, after: Place, older_than: timedelta) -> list[Place]:
        """Those that are older, from `after` on up to the first one that is not."""
        now = (await self._conn.execute(select(func.now()))).scalar_one()
        page = await self.page(after, limit=TRIMMED_AT_ONCE)
        old: list[Place] = []
        for change in page.changes:
            if change.at >= now - older_than:
                break
            old.append(change.place)
        return old

    async def _remove_until(self, last: Place) -> None:
        batch = paper_change_batches.c
        is_before = or_(
            batch.position < last.position,
            and_(batch.position == last.position, paper_changes.c.id <= last.id),
        )
        await self._conn.execute(
            delete(paper_changes).where(paper_changes.c.batch_id == batch.id, is_before)
        )
        await self._conn.execute(delete(paper_change_batches).where(batch.position < last.position))

    async def name_jobs(self, jobs: Mapping[str, UUID]) -> None:
        """Say which jobs brought the files and texts that this transaction has changed.

        `jobs`: arXiv id → job.
        """
        if not jobs:
            return
        batch = paper_change_batches.c
        this_transaction = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
        named = (
            func.unnest(
                literal(list(jobs), ARRAY(Text)),
                literal(list(jobs.values()), ARRAY(Uuid)),
            )
            .table_valued("arxiv_id", "job_id")
            .render_derived(name="named")
        )
        await self._conn.execute(
            update(paper_changes)
            .where(
                paper_changes.c.batch_id == batch.id,
                batch.transaction_id == this_transaction,
                batch.position.is_(None),
                paper_changes.c.arxiv_id == named.c.arxiv_id,
                paper_changes.c.subject.in_(_OF_FILES),
            )
            .values(job_id=named.c.job_id)
        )

    async def held_up_seconds(self) -> float:
        """How long the oldest transaction that has written changes has been open; 0 if none is."""
        return float((await self._conn.execute(_HELD_UP)).scalar_one())


def _place(row: Row[Any]) -> Place:
    return Place(row.position, row.id)


def _change(row: Row[Any]) -> Change:
    return Change(
        place=_place(row),
        at=row.at,
        arxiv_id=row.arxiv_id,
        version=row.version,
        kind=ChangeKind(row.kind),
        job_id=row.job_id,
    )
