"""What was held before there were versions: its ids and versions behind revision 0004."""

from service.db import migrate
from tests.migrations.conftest import rows

PAPER = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at, license) VALUES"
    " ('{}', {}, '{}', 'a', '{{A}}', '{{math.GT}}', 'math.GT', '2003-09-01', '2003-10-01', {})"
)


async def test_ids_lose_their_subject_class_and_keep_what_belongs_to_them(empty):
    await migrate.upgrade(empty, "0003")
    async with empty.begin() as conn:
        for arxiv_id, version, title in (
            ("math.GT/0309136", 2, "alone"),
            ("math.AG/0309137", 3, "newer"),
            ("math/0309137", 1, "older"),
            ("hep-th/9901001", 1, "as it was"),
        ):
            await conn.exec_driver_sql(PAPER.format(arxiv_id, version, title, "NULL"))
        await conn.exec_driver_sql(
            "INSERT INTO paper_texts (arxiv_id, version, content, truncated)"
            " VALUES ('math.GT/0309136', 2, 'words', false)"
        )
        await conn.exec_driver_sql("INSERT INTO jobs (status) VALUES ('running')")
        await conn.exec_driver_sql(
            "INSERT INTO job_papers (job_id, arxiv_id, version, state)"
            " SELECT id, 'math.GT/0309136', 2, 'skipped' FROM jobs"
        )

    await migrate.upgrade(empty)

    held = "SELECT arxiv_id || ' ' || version || ' ' || title FROM papers ORDER BY 1"
    assert await rows(empty, held) == [
        "hep-th/9901001 1 as it was",
        "math/0309136 2 alone",
        "math/0309137 3 newer",
    ]
    assert await rows(empty, "SELECT arxiv_id FROM paper_texts") == ["math/0309136"]
    assert await rows(empty, "SELECT arxiv_id FROM job_papers") == ["math/0309136"]


async def test_the_versions_known_so_far_are_recorded(empty):
    await migrate.upgrade(empty, "0003")
    async with empty.begin() as conn:
        await conn.exec_driver_sql(PAPER.format("math.GT/0309136", 2, "two", "'http://l/'"))

    await migrate.upgrade(empty)

    known = (
        "SELECT arxiv_id || 'v' || version || ' ' || submitted_at::date || ' ' || license_told"
        " FROM paper_versions ORDER BY 1"
    )
    assert await rows(empty, known) == [
        "math/0309136v1 2003-09-01 false",
        "math/0309136v2 2003-10-01 true",
    ]
