"""Papers: a version never goes back, and a file belongs to one version."""

import asyncio
from dataclasses import replace

import pytest

from service.db.papers import PaperStore
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    ExtractedText,
    PdfState,
    StoredPdf,
    TextFurniture,
    TextPage,
    TextState,
)
from tests.conftest import make_paper

PDF = StoredPdf(path="2301/2301.00001v1.pdf", sha256="a" * 64, size_bytes=10)
ROW = "SELECT version, title, pdf_state, pdf_path FROM papers"


async def upsert(database, *papers, overwrite=False):
    async with database.transaction() as conn:
        return await PaperStore(conn).upsert(papers, overwrite=overwrite)


async def save_file(database, arxiv_id: str) -> None:
    async with database.transaction() as conn:
        await PaperStore(conn).save_file(ArxivId.parse(arxiv_id), PDF)


async def save_text(database, arxiv_id: str, text: str = "words") -> None:
    async with database.transaction() as conn:
        await PaperStore(conn).save_text(
            ArxivId.parse(arxiv_id), ExtractedText(text=text, page_count=3)
        )


async def test_a_new_paper_is_created_with_all_it_has(database, sql):
    paper = make_paper("hep-th/9901001v2", doi="10.1/x", license="l", withdrawn=True)

    written = await upsert(database, paper)
    (row,) = await sql("SELECT * FROM papers")

    assert written == {"hep-th/9901001": True}
    assert (row.arxiv_id, row.version, row.doi, row.withdrawn) == (
        "hep-th/9901001",
        2,
        "10.1/x",
        True,
    )
    assert (row.authors, row.categories) == (list(paper.authors), list(paper.categories))
    assert (row.published_at, row.updated_at) == (paper.published_at, paper.updated_at)


async def test_a_newer_version_is_written_over_the_older(database, sql):
    await upsert(database, make_paper("2301.00001v1", title="old"))

    written = await upsert(database, make_paper("2301.00001v2", title="new"))

    assert written == {"2301.00001": False}
    assert [row[:2] for row in await sql(ROW)] == [(2, "new")]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_an_older_version_is_ignored(database, sql, overwrite):
    await upsert(database, make_paper("2301.00001v2", title="new"))

    written = await upsert(database, make_paper("2301.00001v1", title="old"), overwrite=overwrite)

    assert written == {}
    assert [row[:2] for row in await sql(ROW)] == [(2, "new")]


@pytest.mark.parametrize(("overwrite", "title"), [(False, "first"), (True, "second")])
async def test_the_same_version_is_written_only_if_asked_for(database, sql, overwrite, title):
    await upsert(database, make_paper(title="first"))

    written = await upsert(database, make_paper(title="second"), overwrite=overwrite)

    assert written == ({"2301.00001": False} if overwrite else {})
    assert (await sql(ROW))[0].title == title


async def test_a_batch_tells_new_from_updated_and_left(database):
    await upsert(database, make_paper("2301.00001v1"), make_paper("2301.00002v1"))

    written = await upsert(
        database,
        make_paper("2301.00003v1"),
        make_paper("2301.00002v2"),
        make_paper("2301.00001v1"),
    )

    assert written == {"2301.00002": False, "2301.00003": True}


async def test_a_new_version_forgets_the_file_of_the_old(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")

    await upsert(database, make_paper("2301.00001v2"))

    assert (await sql(ROW))[0][2:] == ("none", None)


async def test_writing_the_same_version_keeps_its_file(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")

    await upsert(database, make_paper("2301.00001v1"), overwrite=True)

    assert (await sql(ROW))[0][2:] == ("downloaded", PDF.path)


async def test_the_file_of_another_version_is_not_recorded(database, sql):
    await upsert(database, make_paper("2301.00001v2"))

    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1")

    assert (await sql(ROW))[0][2:] == ("none", None)
    assert await sql("SELECT * FROM paper_texts") == []


async def test_a_text_needs_its_file(database, sql):
    await upsert(database, make_paper("2301.00001v1"))

    await save_text(database, "2301.00001v1")

    assert await sql("SELECT * FROM paper_texts") == []


async def test_a_text_takes_the_place_of_an_older_one(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1", "old")
    await upsert(database, make_paper("2301.00001v2"))
    await save_file(database, "2301.00001v2")

    await save_text(database, "2301.00001v2", "new")

    assert await sql("SELECT version, content FROM paper_texts") == [(2, "new")]
    assert (await sql("SELECT pdf_state, page_count FROM papers")) == [("processed", 3)]


@pytest.mark.parametrize("state", [PdfState.FAILED, PdfState.UNAVAILABLE])
async def test_a_file_that_we_hold_is_not_talked_away(database, sql, state):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")

    async with database.transaction() as conn:
        await PaperStore(conn).save_no_file(ArxivId("2301.00001", 1), state)

    assert (await sql(ROW))[0][2:] == ("downloaded", PDF.path)


async def test_forgetting_a_file_forgets_its_text(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1")

    async with database.transaction() as conn:
        assert await PaperStore(conn).forget_file(ArxivId("2301.00001", 1), PDF)

    assert (await sql(ROW))[0][2:] == ("none", None)
    assert await sql("SELECT * FROM paper_texts") == []


async def test_a_row_that_moved_to_another_file_forgets_nothing(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")

    async with database.transaction() as conn:
        store = PaperStore(conn)
        assert not await store.forget_file(ArxivId("2301.00001", 1), replace(PDF, path="other"))
        assert not await store.forget_file(ArxivId("2301.00001", 1), replace(PDF, sha256="b" * 64))
        assert not await store.forget_file(ArxivId("2301.00001", 2), PDF)

    assert (await sql(ROW))[0][2:] == ("downloaded", PDF.path)


async def test_who_moves_a_row_to_another_file_is_told_which_one_it_left(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    other = StoredPdf(path="2301/2301.00001v1-b.pdf", sha256="b" * 64, size_bytes=11)
    late = ArxivId("2301.00001", 2)

    async with database.transaction() as conn:
        store = PaperStore(conn)
        left = [await store.save_file(ArxivId("2301.00001", 1), pdf) for pdf in (PDF, PDF, other)]
        left.append(await store.save_file(late, PDF))

    assert left == [None, None, PDF.path, None]
    assert (await sql(ROW))[0][2:] == ("downloaded", other.path)


async def test_the_same_bytes_at_another_place_move_the_row_there(database, sql):
    """A row of a damaged file whose name has no digest: the good one has one."""
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")

    async with database.transaction() as conn:
        moved = replace(PDF, path="2301/2301.00001v1-aaaaaaaaaaaaaaaa.pdf")
        left = await PaperStore(conn).save_file(ArxivId("2301.00001", 1), moved)

    assert left == PDF.path
    assert (await sql(ROW))[0].pdf_path == moved.path


async def test_papers_with_a_file_are_listed_by_id_in_pieces(database):
    ids = [f"2301.0000{number}" for number in range(1, 6)]
    await upsert(database, *(make_paper(f"{one}v1") for one in ids))
    for one in ids[1:]:
        await save_file(database, f"{one}v1")

    async with database.transaction() as conn:
        store = PaperStore(conn)
        first = await store.list_with_file(after="", limit=3)
        rest = await store.list_with_file(after=first[-1].arxiv_id, limit=3)

    assert [row.arxiv_id for row in first] == ids[1:4]
    assert [tuple(row) for row in rest] == [(ids[4], 1, PDF.path, PDF.sha256, PDF.size_bytes)]


@pytest.mark.parametrize("first", ["v1", "v2"])
async def test_two_that_race_end_at_the_newer_version(database, other_database, sql, first):
    second = {"v1": "v2", "v2": "v1"}[first]
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper(f"2301.00001{first}")], overwrite=True)
        rival = asyncio.create_task(
            upsert(other_database, make_paper(f"2301.00001{second}"), overwrite=True)
        )
        await waiting_for_a_lock(database)

    await rival
    assert (await sql(ROW))[0].version == 2


async def waiting_for_a_lock(database) -> None:
    """Return when some session waits for a lock."""
    async with asyncio.timeout(5):
        while True:
            async with database.engine.connect() as conn:
                statement = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                if (await conn.exec_driver_sql(statement)).first():
                    return
            await asyncio.sleep(0.01)


WHOLE = ExtractedText(
    text="One.\fTwo",
    page_count=2,
    pages=(TextPage(1, 0, 4), TextPage(2, 5, 8)),
    furniture=(TextFurniture(1, "head", "A head"),),
    text_state=TextState.FULL,
    extractor="it 1",
    quality={"ms": 1},
)


async def test_a_text_is_stored_with_its_pages_and_what_was_left_out(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1", "old")

    async with database.transaction() as conn:
        await PaperStore(conn).save_text(ArxivId("2301.00001", 1), WHOLE)

    (row,) = await sql("SELECT * FROM paper_texts")
    assert (row.content, row.text_state, row.extractor) == (WHOLE.text, "full", "it 1")
    assert row.pages == [{"number": 1, "start": 0, "end": 4}, {"number": 2, "start": 5, "end": 8}]
    assert row.furniture == [{"page": 1, "kind": "head", "text": "A head"}]
    assert row.quality == {"ms": 1}
    assert await sql("SELECT text_state FROM papers") == [("full",)]


async def test_the_state_of_a_text_goes_with_its_version(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1")

    await upsert(database, make_paper("2301.00001v1"), overwrite=True)
    same = await sql("SELECT text_state FROM papers")
    await upsert(database, make_paper("2301.00001v2"))

    assert same == [("full",)]
    assert await sql("SELECT text_state FROM papers") == [(None,)]


async def test_a_text_that_is_there_is_not_called_encrypted(database, sql):
    await upsert(database, make_paper("2301.00001v1"))
    await save_file(database, "2301.00001v1")
    await save_text(database, "2301.00001v1")

    async with database.transaction() as conn:
        await PaperStore(conn).save_encrypted(ArxivId("2301.00001", 1))

    assert await sql("SELECT text_state FROM papers") == [("full",)]
