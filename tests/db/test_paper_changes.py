"""The change feed: kinds of changes, and an order that readers can trust."""

import asyncio
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from service.db.paper_changes import ChangeStore
from service.db.papers import PaperStore
from service.domain.changes import BEGINNING, ChangeKind, Place
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    TOLD_BY_OAI_RAW,
    ExtractedText,
    PaperVersion,
    StoredPdf,
)
from service.jobs.maintenance.retention import tend_changes
from tests.conftest import make_paper

ID = ArxivId("2301.00001", 1)
DOCUMENT = (
    "INSERT INTO documents (arxiv_id, version, source, converter, input_sha256, quality, content)"
    " SELECT arxiv_id, n, 'pdf', 'c', repeat('a', 64), '{}', '{}' FROM papers,"
    " (SELECT coalesce(max(version), 0) + 1 AS n FROM documents) AS next"
)
INSERT = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at) VALUES (:id, 1, 't', 'a',"
    " '{x}', '{cs.AI}', 'cs.AI', now(), now())"
)


async def read(database, after=BEGINNING, *, limit=1000, kinds=()):
    """What a reader finds behind `after`, and where it goes on."""
    async with database.transaction() as conn:
        await ChangeStore(conn).order()
    async with database.transaction() as conn:
        page = await ChangeStore(conn).page(after, limit=limit, kinds=kinds)
    return [(one.arxiv_id, one.version, str(one.kind)) for one in page.changes], page.end


@pytest.fixture
def follow(database):
    """What is new in the feed since the last call, as kinds."""
    place = BEGINNING

    async def follow():
        nonlocal place
        found, place = await read(database, place)
        return [kind for _, _, kind in found]

    return follow


async def merge(database, *papers, job_id=None):
    async with database.transaction() as conn:
        await PaperStore(conn).merge(papers, job_id=job_id)


def record(number=1, **changes):
    """A record of OAI-PMH in format arXivRaw, with the history that goes with its version."""
    paper = make_paper(f"2301.00001v{number}")
    history = tuple(
        PaperVersion(version=one, submitted_at=paper.published_at + timedelta(days=one))
        for one in range(1, number + 1)
    )
    values = {"versions": history, "datestamp": date(2024, 1, 1), "told": TOLD_BY_OAI_RAW}
    return make_paper(f"2301.00001v{number}", **{**values, **changes})


async def test_each_change_of_metadata_is_one_change_of_the_first_kind_that_fits(database, follow):
    by = "http://creativecommons.org/licenses/by/4.0/"
    withdrawn = {"license": by, "withdrawn": True}
    steps = [
        (record(), ["created"]),
        (record(), []),
        (record(title="Another"), ["metadata"]),
        (record(license=by, title="A third"), ["license"]),
        (record(**withdrawn, title="A fourth"), ["withdrawn"]),
        (record(2, title="A fifth"), ["version"]),
        (record(2, title="A fifth", versions=record(2).versions[1:]), []),
        (
            record(
                2,
                title="A fifth",
                versions=(
                    PaperVersion(version=1, submitted_at=record().published_at, size_kb=7),
                    record(2).versions[1],
                ),
            ),
            ["metadata"],
        ),
    ]
    steps.append((replace(steps[-1][0], datestamp=date(2024, 1, 2)), []))
    for number, (paper, _) in enumerate(steps):
        await merge(database, paper)

        assert await follow() == steps[number][1], number


async def test_a_job_is_named_where_it_stored_the_paper_and_not_for_an_operator(
    database, sql, follow
):
    (row,) = await sql("INSERT INTO jobs DEFAULT VALUES RETURNING id")
    await merge(database, record(), job_id=row.id)
    await sql("UPDATE papers SET title = 'by hand'")

    rows = await sql("SELECT kind, job_id FROM paper_changes ORDER BY batch_id, id")

    assert [tuple(one) for one in rows] == [("created", row.id), ("metadata", None)]


async def test_files_texts_and_documents_are_changes_of_their_own(database, sql, follow):
    await merge(database, record())
    pdf = StoredPdf(path="p", sha256="a" * 64, size_bytes=1)
    assert await follow() == ["created"]
    async with database.transaction() as conn:
        await PaperStore(conn).save_file(ID, pdf)
    assert await follow() == ["pdf"]

    for _ in range(2):
        async with database.transaction() as conn:
            await PaperStore(conn).save_text(ID, ExtractedText(text="text", page_count=1))
            await conn.execute(text(DOCUMENT))

    assert await follow() == ["text", "document", "text", "document"]
    await sql("UPDATE paper_texts SET text_state = text_state")  # as the search makes its words
    assert await follow() == []
    await merge(database, record(2))
    assert await follow() == ["version"]  # its file was that of the version before


async def test_operators_sql_is_in_the_feed(database, sql, follow):
    await sql(INSERT, id="x/1")
    await sql(INSERT, id="x/2")
    await sql("UPDATE papers SET title = 'T', withdrawn = true WHERE arxiv_id = 'x/1'")
    await sql("UPDATE papers SET arxiv_id = 'x/3' WHERE arxiv_id = 'x/2'")
    await sql("UPDATE papers SET stored_at = now(), datestamp = now()")
    assert await follow() == ["created", "created", "withdrawn", "removed", "created"]

    await sql("DELETE FROM papers WHERE arxiv_id = 'x/1'")
    await sql("DELETE FROM papers WHERE arxiv_id = 'x/1'")
    await sql("TRUNCATE papers CASCADE")

    assert await follow() == ["removed", "removed"]


async def test_of_several_changes_in_one_transaction_the_first_kind_that_fits_is_told(
    database, follow
):
    async def together(*statements):
        async with database.engine.begin() as conn:
            for statement in statements:
                await conn.execute(text(statement), {"id": "x/1"} if ":id" in statement else {})
        return await follow()

    drop = "DELETE FROM papers"
    assert await together(INSERT, "UPDATE papers SET version = 2") == ["created"]
    assert await together("UPDATE papers SET title = 'b'", "UPDATE papers SET version = 3") == [
        "version"
    ]
    assert await together(
        "UPDATE papers SET withdrawn = true", "UPDATE papers SET title = 'c'"
    ) == ["withdrawn"]
    assert await together(drop, INSERT) == ["version"]  # 3 became 1
    assert await together(drop, INSERT) == ["metadata"]
    assert await together("UPDATE papers SET title = 'd'", drop) == ["removed"]


async def test_what_is_rolled_back_is_in_no_feed(database, follow):
    async with database.engine.begin() as conn:
        await conn.execute(text(INSERT), {"id": "x/1"})
        point = await conn.begin_nested()
        await conn.execute(text(INSERT), {"id": "x/2"})
        await point.rollback()
        await conn.execute(text(INSERT), {"id": "x/3"})
    async with database.engine.connect() as conn:
        await conn.execute(text(INSERT), {"id": "x/4"})
        await conn.rollback()

    found, _ = await read(database)

    assert [arxiv_id for arxiv_id, _, _ in found] == ["x/1", "x/3"]


async def test_a_transaction_that_commits_late_comes_behind_what_was_read(database, sql):
    async with database.engine.connect() as late:
        await late.execute(text(INSERT), {"id": "late/1"})
        await sql(INSERT, id="early/1")
        first, place = await read(database)
        async with database.transaction() as conn:
            held_up = await ChangeStore(conn).held_up_seconds()
        await late.commit()

    second, place = await read(database, place)

    assert [one[0] for one in first] == ["early/1"]
    assert [one[0] for one in second] == ["late/1"]
    assert await read(database, place) == ([], place)
    assert held_up > 0
    async with database.transaction() as conn:
        assert await ChangeStore(conn).held_up_seconds() == 0


async def test_of_two_that_changed_one_paper_the_later_commit_comes_later(database, sql):
    """The first one began earlier and had to wait: its batch is the older, its change the newer."""
    await sql(INSERT, id="x/1")
    _, place = await read(database)
    async with database.engine.connect() as first, database.engine.connect() as second:
        await first.execute(text(INSERT), {"id": "x/2"})
        await second.execute(text("DELETE FROM papers WHERE arxiv_id = 'x/1'"))
        again = asyncio.create_task(first.execute(text(INSERT), {"id": "x/1"}))
        await asyncio.sleep(0)
        await second.commit()
        await again
        await first.commit()

    found, _ = await read(database, place)

    assert [one for one in found if one[0] == "x/1"] == [
        ("x/1", 1, "removed"),
        ("x/1", 1, "created"),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_a_reader_misses_nothing_and_sees_nothing_twice(database, seed):
    """Writers commit out of order, some long after they wrote, some not at all."""
    dice = random.Random(seed)
    plans = [
        [
            (f"w{writer}/{number}", dice.random() < 0.25, [dice.random() for _ in range(4)])
            for number in range(15)
        ]
        for writer in range(6)
    ]
    committed, seen, place = [], [], BEGINNING

    async def pause(chance):
        if chance < 0.5:
            await asyncio.sleep(chance / 40)  # so that transactions overlap; nothing hangs on it

    async def write(plan):
        for arxiv_id, is_aborted, chances in plan:
            async with database.engine.connect() as conn:
                await conn.execute(text(INSERT), {"id": arxiv_id})
                await pause(chances[0])
                await conn.execute(
                    text("UPDATE papers SET title = 'u' WHERE arxiv_id = :id"), {"id": arxiv_id}
                )
                await pause(chances[1])
                if is_aborted:
                    await conn.rollback()
                else:
                    await conn.commit()
                    committed.append(arxiv_id)

    async def look():
        nonlocal place
        found, place = await read(database, place, limit=3)
        seen.extend(one[0] for one in found)
        return found

    writing = [asyncio.create_task(write(plan)) for plan in plans]
    async with asyncio.timeout(60):
        while not all(task.done() for task in writing):
            await asyncio.gather(look(), asyncio.sleep(0.001))
        await asyncio.gather(*writing)
        while await look():
            pass

    assert sorted(seen) == sorted(committed)


async def test_readers_who_order_at_once_see_one_order(database):
    """Without the lock two of them would give the same places, or leave gaps between."""

    async def write(number):
        async with database.engine.begin() as conn:
            await conn.execute(text(INSERT), {"id": f"w/{number}"})
        async with database.transaction() as conn:
            await ChangeStore(conn).order()

    await asyncio.gather(*(write(number) for number in range(30)))

    async with database.engine.connect() as conn:
        found = await conn.execute(
            text("SELECT position FROM paper_change_batches ORDER BY position")
        )
        assert list(found.scalars()) == list(range(1, 31))
    assert len((await read(database))[0]) == 30


async def test_who_orders_waits_for_the_one_who_orders(database, sql):
    """Else it would put a change that was written early, and committed late, before one shown."""
    async with database.engine.connect() as early, database.engine.connect() as orders:
        await early.execute(text(INSERT), {"id": "early/1"})
        await sql(INSERT, id="shown/1")
        await ChangeStore(orders).order()
        await early.commit()
        second = asyncio.create_task(read(database))
        async with asyncio.timeout(60):
            waits = "SELECT pid FROM pg_locks WHERE NOT granted"
            while not second.done() and not await sql(waits):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
        await orders.commit()
        await second

    assert [one[0] for one in (await read(database))[0]] == ["shown/1", "early/1"]


async def test_pages_go_on_within_a_large_transaction(database, sql):
    await sql(
        INSERT.replace("VALUES (:id, 1", "SELECT 'n/' || n, 1").removesuffix(")")
        + " FROM generate_series(1, 25) n"
    )
    await sql("UPDATE papers SET title = 'u' WHERE arxiv_id = 'n/7'")
    seen, place, sizes = [], BEGINNING, []
    while True:
        found, place = await read(database, place, limit=10)
        if not found:
            break
        sizes.append(len(found))
        seen += found

    assert sizes == [10, 10, 6]
    assert len(set(seen)) == 26
    assert (await read(database, kinds=[ChangeKind.METADATA]))[0] == [("n/7", 1, "metadata")]


async def test_a_promoted_standby_gives_no_place_twice(database, sql):
    """Readers may have seen the last commits of a primary that its standby never got."""
    await sql(INSERT, id="x/1")
    _, seen = await read(database)
    await sql("UPDATE paper_change_feed SET origin = 'another server/00000001'")

    async with database.transaction() as conn:
        last = await ChangeStore(conn).order()
    await sql(INSERT, id="x/2")

    assert last > seen.position + 1000
    lost = Place(seen.position + 5, 1)  # a place of the lost commits
    assert (await read(database, lost))[0] == [("x/2", 1, "created")]


async def test_a_session_that_only_reads_orders_nothing_and_shows_what_was(database, sql):
    await sql(INSERT, id="x/1")
    await read(database)
    await sql(INSERT, id="x/2")

    async with database.engine.connect() as conn:
        await conn.execute(text("SET TRANSACTION READ ONLY"))
        store = ChangeStore(conn)
        await store.order()
        page, feed = await store.page(BEGINNING, limit=10), await store.feed()

    assert [one.arxiv_id for one in page.changes] == ["x/1"]
    assert feed.is_behind


async def test_retention_removes_the_beginning_and_no_more(database, sql):
    for number in range(6):
        await sql(INSERT, id=f"x/{number}")
    await read(database)
    await sql(
        "UPDATE paper_changes SET at = now() - interval '40 days' WHERE arxiv_id IN"
        " ('x/0', 'x/1', 'x/2', 'x/4')"
    )

    async with database.transaction() as conn:
        removed = await ChangeStore(conn).trim(older_than=timedelta(days=30))
    async with database.transaction() as conn:
        feed = await ChangeStore(conn).feed()

    assert removed == 3
    assert [one[0] for one in (await read(database))[0]] == ["x/3", "x/4", "x/5"]
    assert feed.trimmed.position == 3
    assert (await sql("SELECT count(*) FROM paper_change_batches"))[0][0] <= 4


async def test_maintenance_orders_what_nobody_reads_and_trims_what_is_old(database, sql):
    for number in range(3):
        await sql(INSERT, id=f"x/{number}")
    await sql("UPDATE paper_changes SET at = now() - interval '40 days' WHERE arxiv_id <> 'x/2'")

    kept_for_ever = await tend_changes(database, older_than=None)
    trimmed = await tend_changes(database, older_than=timedelta(days=30))

    assert (kept_for_ever, trimmed) == (0, 2)
    assert [one[0] for one in (await read(database))[0]] == ["x/2"]
