"""Errors of one job in SQL: all of them in pages, and grouped by stage and code."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.rows import typed
from service.db.tables import job_errors
from service.domain.jobs import Stage


class StoredError(NamedTuple):
    """An error of a job; `id` is its number in the order of storing."""

    id: int
    stage: str
    error: str
    code: str | None
    occurred_at: datetime
    arxiv_id: str | None
    attempt: int | None
    line: int | None


class ErrorGroup(NamedTuple):
    """Errors of one stage and code: how often, of how many papers, and the latest as an example."""

    stage: str
    code: str | None
    times: int
    papers: int
    example: str


class JobErrorStore:
    """Reading `job_errors`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_page(
        self,
        job_id: UUID,
        *,
        limit: int,
        after: int = 0,
        stage: Stage | None = None,
        code: str | None = None,
    ) -> Sequence[StoredError]:
        """Errors of a job in the order of storing, behind the number `after`.

        Only those of `stage` and `code`, if given; `''` is for those without a code.
        """
        statement = (
            select(*(job_errors.c[name] for name in StoredError._fields))
            .where(job_errors.c.job_id == job_id, job_errors.c.id > after)
            .order_by(job_errors.c.id)
            .limit(limit)
        )
        if stage is not None:
            statement = statement.where(job_errors.c.stage == stage)
        if code is not None:
            statement = statement.where(func.coalesce(job_errors.c.code, "") == code)
        return typed(StoredError, await self._conn.execute(statement))

    async def group(self, job_id: UUID, *, limit: int) -> Sequence[ErrorGroup]:
        """Errors by stage and code, most frequent first."""
        groups = (
            select(
                job_errors.c.stage,
                job_errors.c.code,
                func.count().label("times"),
                func.count(job_errors.c.arxiv_id.distinct()).label("papers"),
                func.max(job_errors.c.id).label("latest"),
            )
            .where(job_errors.c.job_id == job_id)
            .group_by(job_errors.c.stage, job_errors.c.code)
            .subquery()
        )
        statement = (
            select(
                groups.c.stage,
                groups.c.code,
                groups.c.times,
                groups.c.papers,
                job_errors.c.error.label("example"),
            )
            .join(job_errors, job_errors.c.id == groups.c.latest)
            .order_by(groups.c.times.desc(), groups.c.stage, groups.c.code)
            .limit(limit)
        )
        return typed(ErrorGroup, await self._conn.execute(statement))
