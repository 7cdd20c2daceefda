"""Records whose content decides: only what differs is written, and only what a source tells."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from service.db.papers import PaperStore
from service.domain.papers import (
    TOLD_BY_OAI_ARXIV,
    TOLD_BY_OAI_RAW,
    TOLD_BY_SEARCH,
    TOLD_BY_SNAPSHOT,
    PaperVersion,
)
from tests.conftest import make_paper

DAY = date(2024, 3, 5)
FIRST, SECOND = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC)
HISTORY = (
    PaperVersion(version=1, submitted_at=FIRST, size_kb=12, source_type="D"),
    PaperVersion(version=2, submitted_at=SECOND, size_kb=13, source_type="D"),
)
VERSIONS = (
    "SELECT version, submitted_at, size_kb, source_type, withdrawn, license, license_told"
    " FROM paper_versions ORDER BY version"
)


def record(arxiv_id="2301.00001v2", **changes):
    """A record as arXivRaw tells it, changed as the test wants it."""
    values = {
        "versions": HISTORY,
        "license": "http://l/",
        "datestamp": DAY,
        "submitter": "Ada",
        "affiliations": (("MIT",), ()),
        "told": TOLD_BY_OAI_RAW,
    }
    return make_paper(arxiv_id, **{**values, **changes})


async def merge(database, *papers, job=None):
    async with database.transaction() as conn:
        merged = await PaperStore(conn).merge(papers, job_id=job and UUID(int=job))
    return sorted(merged.created), sorted(merged.updated), sorted(merged.met)


async def test_a_new_record_is_stored_with_its_history(database, sql):
    assert await merge(database, record(), job=7) == (["2301.00001"], [], [])

    (row,) = await sql("SELECT * FROM papers")
    assert (row.version, row.license, row.datestamp) == (2, "http://l/", DAY)
    assert (row.affiliations, row.submitter, row.license_told) == ([["MIT"], []], "Ada", True)
    assert row.job_id == UUID(int=7)
    assert [tuple(one) for one in await sql(VERSIONS)] == [
        (1, FIRST, 12, "D", False, None, False),
        (2, SECOND, 13, "D", False, "http://l/", True),
    ]


async def test_the_same_record_writes_nothing(database, sql):
    await merge(database, record())
    before = await sql("SELECT ctid::text, xmin::text, xmax::text, stored_at FROM papers")

    assert await merge(database, record()) == ([], [], [])

    now = await sql("SELECT ctid::text, xmin::text, xmax::text, stored_at FROM papers")
    assert now == before


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another"},
        {"abstract": "Another"},
        {"authors": ("Ada Lovelace", "Alan M. Turing")},
        {"affiliations": (("ETH",), ())},
        {"categories": ("cs.AI",)},
        {"doi": "10.1/x"},
        {"journal_ref": "J"},
        {"comments": "two pages"},
        {"license": None},
        {"withdrawn": True},
        {"submitter": "Alan"},
        {"datestamp": date(2024, 3, 6)},
        {"updated_at": datetime(2023, 1, 3, tzinfo=UTC)},
        {"versions": HISTORY[1:]},
    ],
)
async def test_any_field_that_the_source_tells_makes_a_change(database, sql, change):
    await merge(database, record(versions=HISTORY[1:] if "versions" in change else HISTORY))
    changed = record(**{**change, **({"versions": HISTORY} if "versions" in change else {})})

    assert await merge(database, changed) == ([], ["2301.00001"], [])
    assert await merge(database, changed) == ([], [], [])


async def test_a_size_or_source_type_alone_makes_a_change(database, sql):
    await merge(database, record())
    other = PaperVersion(version=1, submitted_at=FIRST, size_kb=99, source_type="I")

    changed = await merge(database, record(versions=(other, HISTORY[1])))

    assert changed == ([], ["2301.00001"], [])
    assert [one.withdrawn for one in await sql(VERSIONS)] == [True, False]


async def test_an_older_datestamp_changes_nothing(database, sql):
    await merge(database, record())

    older = record(title="Old", datestamp=date(2024, 3, 4))

    assert await merge(database, older) == ([], [], [])
    assert [row.title for row in await sql("SELECT title FROM papers")] == ["A title"]


async def test_an_older_version_changes_nothing_even_of_a_paper_without_datestamp(database, sql):
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper("2301.00001v3")], overwrite=False)

    assert await merge(database, record()) == ([], [], [])
    assert [tuple(row) for row in await sql("SELECT version, datestamp FROM papers")] == [(3, None)]


async def test_what_a_source_does_not_tell_it_does_not_change(database, sql):
    await merge(database, record(withdrawn=True))

    searched = make_paper("2301.00001v2", title="Searched", told=TOLD_BY_SEARCH)
    snapshot = record(
        told=TOLD_BY_SNAPSHOT,
        versions=tuple(
            PaperVersion(version=one.version, submitted_at=one.submitted_at) for one in HISTORY
        ),
    )
    assert await merge(database, searched) == ([], ["2301.00001"], [])
    assert await merge(database, snapshot) == ([], ["2301.00001"], [])

    (row,) = await sql("SELECT * FROM papers")
    assert (row.title, row.license, row.datestamp) == ("A title", "http://l/", DAY)
    assert (row.affiliations, row.withdrawn) == ([["MIT"], []], True)
    assert [(one.size_kb, one.source_type) for one in await sql(VERSIONS)] == [(12, "D"), (13, "D")]


async def test_the_format_arxiv_leaves_versions_as_they_are(database, sql):
    await merge(database, record())
    told = make_paper(
        "2301.00001v1",
        title="Now",
        license="http://m/",
        datestamp=date(2024, 4, 1),
        published_at=SECOND,
        told=TOLD_BY_OAI_ARXIV,
    )

    assert await merge(database, told) == ([], ["2301.00001"], [])

    (row,) = await sql("SELECT * FROM papers")
    assert (row.version, row.title, row.published_at) == (2, "Now", FIRST)
    assert [(one.version, one.license) for one in await sql(VERSIONS)] == [
        (1, None),
        (2, "http://m/"),
    ]


async def test_a_new_paper_of_the_format_arxiv_is_version_one(database, sql):
    told = make_paper("2301.00001v1", datestamp=DAY, told=TOLD_BY_OAI_ARXIV)

    assert await merge(database, told) == (["2301.00001"], [], [])

    assert [(one.version, one.submitted_at) for one in await sql(VERSIONS)] == [(1, SECOND)]


async def test_affiliations_stay_as_long_as_the_authors(database, sql):
    await merge(database, record())
    one_more = make_paper(
        "2301.00001v1", authors=("A", "B", "C"), datestamp=DAY, told=TOLD_BY_OAI_ARXIV
    )

    await merge(database, one_more)

    assert [row.affiliations for row in await sql("SELECT affiliations FROM papers")] == [
        [[], [], []]
    ]


async def test_a_new_version_forgets_the_file_of_the_old(database, sql):
    await merge(database, record("2301.00001v1", versions=HISTORY[:1]))
    await sql(
        "UPDATE papers SET pdf_state = 'downloaded', pdf_path = 'p', pdf_bytes = 1,"
        " pdf_sha256 = repeat('a', 64)"
    )

    await merge(database, record(datestamp=date(2024, 3, 6)))

    assert [row.pdf_path for row in await sql("SELECT pdf_path FROM papers")] == [None]


async def test_what_the_same_job_stored_before_is_told(database):
    await merge(database, record(), job=1)

    moved = record(title="Changed", datestamp=date(2024, 3, 6))

    assert await merge(database, moved, job=1) == ([], ["2301.00001"], ["2301.00001"])
    assert await merge(database, moved, job=2) == ([], [], [])


async def test_a_batch_of_several_sources_is_told_apart(database):
    await merge(database, record("2301.00001v2"), record("2301.00002v2"))

    changed = await merge(
        database,
        record("2301.00003v2"),
        record("2301.00002v2", title="Changed"),
        make_paper("2301.00001v2", told=TOLD_BY_SEARCH),
        make_paper("2301.00004v1", told=TOLD_BY_SEARCH),
    )

    assert changed == (["2301.00003", "2301.00004"], ["2301.00002"], [])
