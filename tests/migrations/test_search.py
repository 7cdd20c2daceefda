"""What was held before the search: found as before, and folded once the backfill has come by."""

from service.db import migrate
from service.db.engine import Database
from service.jobs.maintenance.search_backfill import backfill_search
from tests.migrations.conftest import rows

PAPER = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at) SELECT"
    " '2301.0000' || n, 1, 'Poincaré quarks', 'a', '{A}', '{math.GT}', 'math.GT', '2023-01-01',"
    " '2023-01-01' FROM generate_series(1, 3) AS n"
)
TEXT = "INSERT INTO paper_texts VALUES ('2301.00002', 1, 'the Łódź text', false)"
FOUND = "SELECT arxiv_id FROM papers WHERE words @@ search_query('{}') ORDER BY 1"
IN_TEXTS = "SELECT arxiv_id FROM paper_search WHERE words @@ search_query('{}')"


async def test_old_papers_and_texts_are_folded_by_the_backfill(empty):
    await migrate.upgrade(empty, "0009")
    async with empty.begin() as conn:
        await conn.exec_driver_sql(PAPER)
        await conn.exec_driver_sql(TEXT)
    await migrate.upgrade(empty)
    ids = [f"2301.0000{n}" for n in (1, 2, 3)]

    assert await rows(empty, FOUND.format("quark")) == ids
    assert await rows(empty, FOUND.format("poincare")) == []
    assert await rows(empty, "SELECT count(*) FROM search_backfill WHERE finished_at IS NULL") == [
        2
    ]

    done = await backfill_search(Database(empty, deadline_seconds=30))

    assert done == {"papers": 3, "paper_texts": 1}
    assert await rows(empty, FOUND.format("poincare")) == ids
    assert await rows(empty, IN_TEXTS.format("lodz poincare")) == ["2301.00002"]
    assert await rows(empty, "SELECT count(*) FROM search_backfill WHERE finished_at IS NULL") == [
        0
    ]


async def test_an_empty_database_has_nothing_to_fill(empty):
    await migrate.upgrade(empty)

    assert await rows(empty, "SELECT count(*) FROM search_backfill WHERE finished_at IS NULL") == [
        0
    ]
