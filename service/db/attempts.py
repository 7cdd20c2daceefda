"""Attempts at a file of a job's paper in SQL: counted when they begin, given back when they may be.

The PDF and the HTML of a paper are attempted apart, each with columns of its own in `job_papers`.
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, literal, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.tables import job_papers


class Start(Protocol):
    """A start on a file of a paper (`attempts` includes it).

    `waited`: how long the job has waited for arXiv.
    """

    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def unfinished_reads(self) -> int: ...  # noqa: D102
    @property
    def waited(self) -> timedelta: ...  # noqa: D102


S_co = TypeVar("S_co", bound=Start, covariant=True)


class AttemptStore(ABC, Generic[S_co]):
    """SQL on the attempts at one kind of file, in a transaction that is the caller's."""

    attempts: ClassVar[Column[Any]]
    failures: ClassVar[Column[Any]]
    unfinished_reads: ClassVar[Column[Any]]

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    @staticmethod
    @abstractmethod
    def is_open(job_id: UUID, item: str) -> list[ColumnElement[bool]]:
        """That the row is that of this item, and that something is left to do for its file."""

    @abstractmethod
    async def begin(self, job_id: UUID, item: str) -> S_co | None:
        """Count a start before any work is done; None when there is nothing to do."""

    async def begin_reading(self, job_id: UUID, item: str) -> None:
        """Note that the file is about to be read, which a hostile one may not let us end."""
        await self._count_read(job_id, item, self.unfinished_reads + 1)

    async def end_reading(self, job_id: UUID, item: str) -> None:
        """Note that the reading ended, so that a later death is not blamed on the file."""
        await self._count_read(job_id, item, literal(0))

    async def _count_read(self, job_id: UUID, item: str, count: ColumnElement[int]) -> None:
        # It must survive our death, not that of PostgreSQL: no need to wait for its disk.
        await self._conn.execute(text("SET LOCAL synchronous_commit TO off"))
        await self._conn.execute(
            update(job_papers)
            .where(*self.is_open(job_id, item))
            .values({self.unfinished_reads: count})
        )

    async def release(
        self, job_id: UUID, item: str, *, attempts: int, failed: bool, has_read: bool
    ) -> None:
        """Note that an attempt ended in order: `failed`, or as if it had never begun.

        With `has_read` the file was read and the worker survived it: what happened
        before is forgiven. `attempts` is the number that `begin` returned; if another has
        begun since (or this was noted already) nothing changes.
        """
        await self._conn.execute(
            update(job_papers)
            .where(
                *self.is_open(job_id, item),
                self.attempts == attempts,
                self.attempts > self.failures,
            )
            .values(
                {
                    self.unfinished_reads: 0 if has_read else self.unfinished_reads,
                    self.attempts: self.attempts - int(not failed),
                    self.failures: self.failures + int(failed),
                }
            )
        )
