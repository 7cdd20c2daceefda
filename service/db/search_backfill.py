"""Search words of rows that are older than the search: a few at a time, from where it stands.

`search_backfill` has the place, for papers (whose titles and abstracts are folded anew) and for
texts. A step is one transaction that holds up nobody but who writes the same few rows; of a
fleet one process at a time does it.
"""

from dataclasses import dataclass

from sqlalchemy import Column, bindparam, case, exists, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.conditions import is_any_of
from service.db.failures import CANCELED, state_of
from service.db.search_tables import paper_search, search_backfill
from service.db.tables import paper_texts, papers
from service.domain.errors import Overloaded

MERGER = 8_401_207_355_021_118  # the advisory lock of whoever merges; any number of its own
MERGE_SECONDS = 20
AT_ONCE = {"papers": 200, "paper_texts": 10}  # rows; some 100 ms, and half a second


@dataclass(frozen=True, slots=True)
class BackfillStep:
    """What a step did: it looked at `rows` of `table`, and `is_last` if these were the last."""

    table: str
    rows: int
    is_last: bool


class SearchIndexStore:
    """Upkeep of the index of `paper_search`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def merge(self) -> int:
        """Merge the index's pending list; returns how many of its pages went.

        None go where another process merges, or where the role does not own the index:
        then autovacuum does it. Raises Overloaded if it takes too long.
        """
        alone = select(func.pg_try_advisory_xact_lock(MERGER))
        if not (await self._conn.execute(alone)).scalar_one():
            return 0
        statement = text(
            "SELECT gin_clean_pending_list(oid) FROM pg_class"
            " WHERE oid = to_regclass('paper_search_by_word')"
            " AND pg_has_role(relowner, 'USAGE')"
        )
        await self._conn.execute(
            select(func.set_config("statement_timeout", f"{MERGE_SECONDS}s", True))
        )
        try:
            return (await self._conn.execute(statement)).scalar_one_or_none() or 0
        except DBAPIError as err:
            if state_of(err) != CANCELED:
                raise
            raise Overloaded("The index takes long to merge", retry_after=MERGE_SECONDS) from err


class SearchBackfillStore:
    """Steps of the backfill, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def step(self) -> BackfillStep | None:
        """Do the next rows; None when all are done, or another process is at it."""
        statement = (
            select(search_backfill.c.of_table, search_backfill.c.after_id)
            .where(search_backfill.c.finished_at.is_(None))
            .order_by(search_backfill.c.of_table.desc())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        place = (await self._conn.execute(statement)).one_or_none()
        if place is None:
            return None
        do = self._fold if place.of_table == "papers" else self._index
        limit = AT_ONCE[place.of_table]
        done = await do(place.after_id, limit)
        step = BackfillStep(place.of_table, len(done), len(done) < limit)
        await self._save(step, done[-1] if done else place.after_id)
        return step

    async def _fold(self, after: str, limit: int) -> list[str]:
        """Make the words of papers anew where they would differ."""
        ids = await self._lock(papers.c.arxiv_id, after, limit)
        words = func.paper_words(papers.c.title, papers.c.abstract)
        await self._conn.execute(
            update(papers)
            .where(is_any_of(papers.c.arxiv_id, ids))
            .where(papers.c.words.is_distinct_from(words))
            .values(title=papers.c.title)  # `words` is generated: any update makes it anew
        )
        return ids

    async def _index(self, after: str, limit: int) -> list[str]:
        """Index the texts that are not yet."""
        ids = await self._lock(paper_texts.c.arxiv_id, after, limit)
        is_indexed = exists().where(paper_search.c.arxiv_id == paper_texts.c.arxiv_id)
        await self._conn.execute(
            select(func.index_paper_text(paper_texts.c.arxiv_id, paper_texts.c.content))
            .where(is_any_of(paper_texts.c.arxiv_id, ids))
            .where(~is_indexed)
        )
        return ids

    async def _lock(self, key: Column[str], after: str, limit: int) -> list[str]:
        """The next ids; their rows stay as they are until the end of the transaction."""
        statement = select(key).where(key > after).order_by(key).limit(limit)
        rows = await self._conn.execute(statement.with_for_update(key_share=True))
        return list(rows.scalars())

    async def _save(self, step: BackfillStep, after: str) -> None:
        await self._conn.execute(
            update(search_backfill)
            .where(search_backfill.c.of_table == step.table)
            .values(
                after_id=after,
                rows_done=search_backfill.c.rows_done + step.rows,
                updated_at=func.now(),
                finished_at=case((bindparam("is_last", step.is_last), func.now()), else_=None),
            )
        )
