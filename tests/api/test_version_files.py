"""Versions of their own over HTTP: metadata, PDF, text and document of an older one."""

import pytest

from service.db.documents import DocumentStore
from service.db.papers import PaperStore
from service.db.version_files import VersionFileStore
from service.domain.identifiers import ArxivId
from service.domain.papers import DocumentSource, StructuredDocument
from tests.api.test_paper_files import CONTENT, TAG, keep, problem_of
from tests.conftest import make_paper

__all__ = ["keep"]

URL = "/api/v1/papers/2301.00001"
FIRST, SECOND = ArxivId("2301.00001", 1), ArxivId("2301.00001", 2)


@pytest.fixture
async def both(api, keep, database):
    """Version 1 with its file, text and document, and a newer one without any."""
    await keep(str(FIRST), text="First text.")
    document = StructuredDocument(
        source=DocumentSource.PDF,
        converter="c",
        quality={},
        content='{"title":"A title","abstract":null,"sections":[],"equations":[],"captions":[],'
        '"references":[]}',
    )
    async with database.transaction() as conn:
        await DocumentStore(conn).save(FIRST, document, input_sha256=TAG)
        await VersionFileStore(conn).keep([FIRST])
        await PaperStore(conn).upsert([make_paper(str(SECOND), title="New")], overwrite=True)
    return api


async def test_an_older_version_has_its_own_file_and_the_newest_title(both):
    newest = await (await both.get(URL)).json()
    first = await (await both.get(f"{URL}v1")).json()
    second = await (await both.get(f"{URL}v2")).json()

    assert (newest["version"], newest["pdf_state"]) == (2, "none")
    assert "metadata_version" not in newest
    assert (first["version"], first["title"], first["metadata_version"]) == (1, "New", 2)
    assert (first["pdf_state"], first["pdf_sha256"], first["text_state"]) == (
        "processed",
        TAG,
        "cut",
    )
    assert second == {**newest, "metadata_version": 2}


async def test_its_pdf_text_and_document_are_to_be_had_and_the_newest_has_none(both):
    pdf, text = await both.get(f"{URL}v1/pdf"), await both.get(f"{URL}v1/text")
    document = await both.get(f"{URL}v1/document")

    assert (pdf.status, await pdf.read()) == (200, CONTENT)
    assert pdf.headers["Content-Disposition"].endswith('"2301.00001v1.pdf"')
    assert (text.status, await text.text()) == (200, "First text.")
    assert (document.status, (await document.json())["version"]) == (200, 1)
    for part in ("pdf", "text", "document"):
        for url in (URL, f"{URL}v2"):
            assert (await both.get(f"{url}/{part}")).status == 404


async def test_both_have_their_own_when_the_newer_one_has_come(both, keep):
    await keep(str(SECOND), text="Second text.")

    texts = [await (await both.get(f"{URL}{v}/text")).text() for v in ("", "v1", "v2")]
    history = await (await both.get(f"{URL}/versions")).json()

    assert texts == ["Second text.", "First text.", "Second text."]
    assert [(one["version"], one["pdf_state"], one["text_state"]) for one in history] == [
        (1, "processed", "cut"),
        (2, "processed", "cut"),
    ]


@pytest.mark.parametrize("part", ["", "/pdf", "/text", "/document"])
async def test_a_version_that_is_not_known_is_not_found(both, part):
    response = await both.get(f"{URL}v3{part}")

    assert await problem_of(response) == (404, "This version of the paper is not known")


async def test_what_moves_or_is_dropped_is_no_change_of_a_file(both, sql, keep):
    await keep(str(SECOND), text="Second text.")

    kinds = await sql("SELECT version, kind FROM paper_changes ORDER BY batch_id, id")

    assert [tuple(one) for one in kinds] == [
        (1, "created"),
        (1, "pdf"),
        (1, "text"),
        (1, "document"),
        (2, "version"),
        (2, "metadata"),
        (2, "pdf"),
        (2, "text"),
    ]
