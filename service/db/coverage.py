"""What audits found, in SQL: papers that arXiv lists for each day, and what of them is not held."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.paper_rows import given
from service.db.tables import coverage
from service.domain.coverage import CheckedDay, ListedDay


class CoverageStore:
    """All SQL on `coverage`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def save(self, set_spec: str, days: Sequence[ListedDay]) -> None:
        """Record days that were listed whole, over what audits before have found."""
        if not days:
            return
        rows = [{"set": set_spec, **asdict(one)} for one in days]
        new = given(coverage, rows)
        names = list(rows[0])
        statement = insert(coverage).from_select(
            [*names, "checked_at"],
            select(*(new.c[name] for name in names), func.clock_timestamp()),
            include_defaults=False,
        )
        changed = {name: statement.excluded[name] for name in (*names[2:], "checked_at")}
        key = [coverage.c.set, coverage.c.day]
        await self._conn.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))

    async def heal(self, set_spec: str, found: Mapping[tuple[date, str], int]) -> None:
        """Take so many papers off what is `missing` or `stale` of a day."""
        for (day, kind), count in sorted(found.items()):
            column = coverage.c[kind]
            await self._conn.execute(
                update(coverage)
                .where(coverage.c.set == set_spec, coverage.c.day == day)
                .values({kind: func.greatest(column - count, 0)})
            )

    async def list_days(
        self, set_spec: str, first: date | None, last: date | None
    ) -> Sequence[CheckedDay]:
        """The days of a set that were ever audited, in order; both ends inclusive."""
        statement = select(coverage).where(coverage.c.set == set_spec).order_by(coverage.c.day)
        if first is not None:
            statement = statement.where(coverage.c.day >= first)
        if last is not None:
            statement = statement.where(coverage.c.day <= last)
        return [
            CheckedDay(
                day=row.day,
                listed=row.listed,
                missing=row.missing,
                stale=row.stale,
                checked_at=row.checked_at,
            )
            for row in await self._conn.execute(statement)
        ]
