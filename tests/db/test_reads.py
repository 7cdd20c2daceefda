"""Reads of jobs share queries, and nothing else: not their age, their errors, their end."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy import text

from service.db.engine import Database, create_engine
from service.db.job_loader import Sharing
from service.db.job_rows import to_job
from service.domain.errors import DatabaseUnavailable, NotFound

ONE_AT_A_TIME = Sharing(max_queries=1)
IMPATIENT = Sharing(max_jobs=1, max_queries=2, patience=timedelta(0))


class Watched(Database):
    """A pool that knows what was asked of it, and how many queries were under way at once."""

    def __init__(self, engine, *, deadline_seconds):
        super().__init__(engine, deadline_seconds=deadline_seconds)
        self.sent = []
        self.under_way = self.most_under_way = 0
        self.changed = asyncio.Event()
        self.connections_taken = 0
        self.given_back = asyncio.Event()

    @asynccontextmanager
    async def fetching(self):
        self.connections_taken += 1
        async with super().fetching() as fetch:
            yield partial(self._fetch, fetch)
        self.given_back.set()

    async def _fetch(self, fetch, statement, ids):
        self.sent.append((statement, ids))
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        self.changed.set()
        try:
            return await fetch(statement, ids)
        finally:
            self.under_way -= 1

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.sent) < count:
                self.changed.clear()
                await self.changed.wait()

    def jobs_of(self, number: int) -> set:
        """The job ids that a query asked for."""
        _, ids = self.sent[number]
        return set(ids)


@pytest.fixture
async def watched(database, database_url):
    """A pool of its own, so that only reads are seen; its deadline is never met by chance."""
    engine = create_engine(database_url, name="tests reads", pool_size=4)
    async with engine.connect():
        pass
    yield Watched(engine, deadline_seconds=60)
    await engine.dispose()


@pytest.fixture
def locked(database):
    """A block in which no query on jobs comes to its end."""

    @asynccontextmanager
    async def locked():
        async with database.engine.begin() as conn:
            await conn.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await conn.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
            yield

    return locked


@pytest.fixture
async def ids(sql):
    rows = await sql("INSERT INTO jobs SELECT FROM generate_series(1, 9) RETURNING id")
    return [row.id for row in rows]


def asked(reads, *job_ids):
    return [asyncio.create_task(read(reads, job_id)) for job_id in job_ids]


async def read(reads, job_id):
    return to_job(await reads.get(job_id))


async def test_reads_of_one_turn_share_a_query(watched, open_reads, ids):
    reads = open_reads(watched)

    found = await asyncio.gather(*asked(reads, *ids, *ids))

    assert [job.id for job in found] == [*ids, *ids]
    assert len(watched.sent) == 1


async def test_one_round_trip_and_no_transaction(watched, open_reads, ids, sql):
    await open_reads(watched).get(ids[0])

    rows = await sql("SELECT query FROM pg_stat_activity WHERE application_name = 'tests reads'")

    assert [row.query for row in rows if row.query in ("BEGIN;", "COMMIT;", "ROLLBACK;")] == []
    assert len(watched.sent) == 1


async def test_a_connection_is_kept_for_who_asks_next_and_then_given_back(watched, open_reads, ids):
    reads = open_reads(watched)

    await read(reads, ids[0])
    await read(reads, ids[1])
    async with asyncio.timeout(60):
        await watched.given_back.wait()

    assert (len(watched.sent), watched.connections_taken) == (2, 1)


async def test_a_read_never_joins_a_query_that_is_under_way(watched, open_reads, locked, ids):
    reads = open_reads(watched, ONE_AT_A_TIME)
    async with locked():
        early = asked(reads, ids[0])
        await watched.until_sent(1)
        late = asked(reads, ids[0], ids[1])

    await asyncio.gather(*early, *late)

    assert watched.jobs_of(0) == {ids[0]}
    assert watched.jobs_of(1) == {ids[0], ids[1]}


async def test_a_read_sees_what_was_committed_before_it_was_asked_for(
    database, open_reads, ids, sql
):
    reads = open_reads(database)
    for number in range(1, 20):
        others = asked(reads, *ids)
        await sql("UPDATE jobs SET papers_fetched = :n WHERE id = :id", n=number, id=ids[0])

        assert (await read(reads, ids[0])).papers_fetched == number

        await asyncio.gather(*others)


async def test_a_query_asks_for_so_many_jobs_and_no_more(watched, open_reads, ids):
    reads = open_reads(watched, Sharing(max_jobs=4, patience=timedelta(hours=1)))

    await asyncio.gather(*asked(reads, *ids))

    assert [len(watched.jobs_of(number)) for number in range(3)] == [4, 4, 1]


async def test_a_query_that_hangs_is_passed_but_never_by_more_than_the_bound(
    watched, open_reads, locked, ids
):
    reads = open_reads(watched, IMPATIENT)
    async with locked():
        tasks = asked(reads, *ids)
        await watched.until_sent(2)

    await asyncio.gather(*tasks)

    assert watched.most_under_way == 2


async def test_queries_wait_for_company_while_one_is_under_way(watched, open_reads, ids):
    reads = open_reads(watched, Sharing(max_jobs=1, patience=timedelta(hours=1)))

    await asyncio.gather(*asked(reads, *ids))

    assert watched.most_under_way == 1


async def test_an_error_reaches_each_read_of_its_query_and_no_other(
    watched, open_reads, locked, ids, sql
):
    reads = open_reads(watched, ONE_AT_A_TIME)
    async with locked():
        broken = asked(reads, ids[0], ids[1])
        await watched.until_sent(1)
        others = asked(reads, ids[2], ids[0])
        await sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tests reads'"
        )
        errors = await asyncio.gather(*broken, return_exceptions=True)

    found = await asyncio.gather(*others)

    assert [type(error) for error in errors] == [DatabaseUnavailable, DatabaseUnavailable]
    assert [job.id for job in found] == [ids[2], ids[0]]


async def test_an_unknown_job_is_not_found_and_the_others_are(watched, open_reads, ids):
    reads = open_reads(watched)

    unknown, found = await asyncio.gather(*asked(reads, uuid4(), ids[0]), return_exceptions=True)

    assert isinstance(unknown, NotFound)
    assert found.id == ids[0]


async def test_a_cancelled_read_harms_no_other(watched, open_reads, locked, ids):
    reads = open_reads(watched, ONE_AT_A_TIME)
    async with locked():
        under_way = asked(reads, ids[0], ids[1])
        await watched.until_sent(1)
        waiting = asked(reads, ids[2], ids[3])
        await asyncio.sleep(0)
        under_way[0].cancel()
        waiting[0].cancel()

    gone, first, also_gone, second = await asyncio.gather(
        *under_way, *waiting, return_exceptions=True
    )

    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(also_gone, asyncio.CancelledError)
    assert (first.id, second.id) == (ids[1], ids[3])
    assert watched.jobs_of(1) == {ids[3]}


async def test_the_deadline_holds_for_those_under_way_and_those_who_wait(
    watched, open_reads, locked, ids
):
    hurried = Watched(watched.engine, deadline_seconds=0.2)
    reads = open_reads(hurried, ONE_AT_A_TIME)
    async with locked(), asyncio.timeout(60):
        under_way = asked(reads, ids[0])
        await hurried.until_sent(1)
        waiting = asked(reads, ids[1], ids[2])
        answers = await asyncio.gather(*under_way, *waiting, return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3
    assert (await read(open_reads(watched), ids[0])).id == ids[0]


async def test_errors_are_looked_for_only_where_there_are_some(watched, open_reads, ids, sql):
    await sql("INSERT INTO job_errors (job_id, stage, error) VALUES (:j, 'general', 'e')", j=ids[0])
    reads = open_reads(watched)

    ill, well = await asyncio.gather(*asked(reads, ids[0], ids[1]))
    (statement, looked_for), *more = watched.sent
    async with watched.engine.connect() as conn:
        plan = await conn.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", (looked_for,)
        )
        shown = plan.scalar_one()

    assert [len(ill.errors), len(well.errors), len(more)] == [1, 0, 0]
    assert _loops(json.loads(shown) if isinstance(shown, str) else shown, "job_errors") == 1


async def test_closing_gives_up_what_is_under_way(watched, open_reads, locked, ids):
    reads = open_reads(watched)
    async with locked():
        (task,) = asked(reads, ids[0])
        await watched.until_sent(1)
        await reads.close()
        (answer,) = await asyncio.gather(task, return_exceptions=True)

    assert isinstance(answer, asyncio.CancelledError)


def _loops(node, table) -> int:
    """How often a plan that was run looked into `table`."""
    if isinstance(node, list):
        return sum(_loops(child, table) for child in node)
    if not isinstance(node, dict):
        return 0
    own = node["Actual Loops"] if node.get("Relation Name") == table else 0
    return own + sum(_loops(child, table) for child in node.values())
