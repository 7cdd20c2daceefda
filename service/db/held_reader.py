"""Reader of stored papers for sources: each call is a transaction of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from service.db.engine import Database
from service.db.outdated import OutdatedStore
from service.db.papers import PaperStore
from service.db.retries import RetryStore


@dataclass(frozen=True, slots=True)
class DatabaseHeldReader:
    """Implements `sources.base.HeldReader`."""

    database: Database

    async def versions(self, arxiv_ids: Sequence[str]) -> Mapping[str, int]:
        """The version held of each of these papers (ids without version) that is held."""
        if not arxiv_ids:
            return {}
        async with self.database.transaction() as conn:
            rows = await PaperStore(conn).find_many(arxiv_ids)
        return {arxiv_id: row.version for arxiv_id, row in rows.items()}

    async def datestamps(self, arxiv_ids: Sequence[str]) -> Mapping[str, date | None]:
        """The datestamp of each of these papers that is held; None where it is not known."""
        if not arxiv_ids:
            return {}
        async with self.database.transaction() as conn:
            return await PaperStore(conn).datestamps(arxiv_ids)

    async def told_by_lines(self, digests: Mapping[str, UUID], job_id: UUID) -> Mapping[str, bool]:
        """Of papers with digests of a snapshot's lines: those told by them; True: by this job."""
        if not digests:
            return {}
        async with self.database.transaction() as conn:
            return await PaperStore(conn).told_by_lines(digests, job_id=job_id)

    async def outdated(
        self, *, after: str, limit: int, pdf: str, html: str
    ) -> tuple[Sequence[str], str | None]:
        """Of the next `limit` papers behind `after`: whose documents are outdated; and the last."""
        async with self.database.transaction() as conn:
            store = OutdatedStore(conn)
            return await store.list_outdated(after=after, limit=limit, pdf=pdf, html=html)

    async def unfinished(self, job_id: UUID, *, after: str, limit: int) -> Sequence[str]:
        """Papers that the job which `job_id` retries did not finish, by id, behind `after`."""
        async with self.database.transaction() as conn:
            return await RetryStore(conn).list_unfinished(job_id, after=after, limit=limit)
