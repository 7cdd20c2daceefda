"""Structured documents are kept by version, and go with what they were made of."""

import pytest

from service.db.documents import DocumentStore
from service.db.papers import PaperStore
from service.domain.errors import NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import DocumentSource, StoredPdf, StructuredDocument
from tests.conftest import make_paper

PDF = StoredPdf(path="2301/2301.00001v1.pdf", sha256="a" * 64, size_bytes=10)
FIRST = ArxivId("2301.00001", 1)
SECOND = ArxivId("2301.00001", 2)
ROWS = "SELECT version, converter, input_sha256, content FROM documents ORDER BY version"


def document(title: str, converter: str = "pdf 1") -> StructuredDocument:
    return StructuredDocument(
        source=DocumentSource.PDF,
        converter=converter,
        quality={"headings": 0},
        content=f'{{"title": "{title}", "references": [1]}}',
    )


async def save(database, arxiv_id: ArxivId, made: StructuredDocument, sha256: str = "a") -> None:
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper(str(arxiv_id))], overwrite=True)
        await DocumentStore(conn).save(arxiv_id, made, input_sha256=sha256 * 64)


async def test_a_document_made_anew_takes_the_place_of_the_old(database, sql):
    await save(database, FIRST, document("old"))
    (before,) = await sql("SELECT made_at FROM documents")

    await save(database, FIRST, document("new", "pdf 2"), "b")

    assert await sql(ROWS) == [(1, "pdf 2", "b" * 64, {"title": "new", "references": [1]})]
    (after,) = await sql("SELECT made_at FROM documents")
    assert after.made_at > before.made_at


async def test_the_document_of_a_newer_version_ends_that_of_the_older(database, sql):
    await save(database, FIRST, document("old"))

    await save(database, SECOND, document("new"))

    assert [row.version for row in await sql(ROWS)] == [2]


async def test_a_document_is_read_as_it_was_stored(database):
    await save(database, FIRST, document("∀"))

    async with database.transaction() as conn:
        whole = await DocumentStore(conn).get(ArxivId("2301.00001"))
        part = await DocumentStore(conn).get(FIRST, part="references")

    assert whole.content == '{"title": "∀", "references": [1]}'
    assert (whole.source, whole.quality, part.content) == ("pdf", {"headings": 0}, "[1]")


async def test_the_document_of_a_version_that_has_none_is_not_found(database):
    await save(database, FIRST, document("old"))
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper(str(SECOND))], overwrite=True)

    for arxiv_id, code in [
        (ArxivId("2301.00001"), "document_not_found"),
        (SECOND, "document_not_found"),
        (ArxivId("2301.00001", 3), "paper_not_found"),
    ]:
        with pytest.raises(NotFound) as caught:
            async with database.transaction() as conn:
                await DocumentStore(conn).get(arxiv_id)
        assert caught.value.code == code


async def test_a_document_goes_with_its_file_and_with_its_paper(database, sql):
    await save(database, FIRST, document("one"))
    async with database.transaction() as conn:
        await PaperStore(conn).save_file(FIRST, PDF)
        assert await PaperStore(conn).forget_file(FIRST, PDF)
    assert await sql(ROWS) == []

    await save(database, FIRST, document("one"))
    await sql("DELETE FROM papers")
    assert await sql(ROWS) == []


async def test_which_papers_are_held_is_told_at_once(database):
    await save(database, FIRST, document("one"))

    async with database.transaction() as conn:
        held = await DocumentStore(conn).list_held(["2301.00001", "2301.00002"])
        none = await DocumentStore(conn).list_held([])

    assert (list(held), list(none)) == (["2301.00001"], [])
