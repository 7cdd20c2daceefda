"""Structured documents and references of papers over HTTP."""

import json

import pytest

from service.api.schemas.documents import CitedSchema, DocumentSchema
from service.db.documents import DocumentStore
from service.db.papers import PaperStore
from service.domain.papers import DocumentSource, StructuredDocument
from service.extraction.document import Caption, Document, Paragraph, Reference, Section
from tests.conftest import make_paper

URL = "/api/v1/papers/2301.00001"
SHA256 = "a" * 64
MARKDOWN = {"Accept": "text/markdown"}
DOCUMENT = Document(
    source="pdf",
    converter="pdf 1",
    title="A title, ∀",
    abstract="An abstract.",
    sections=(
        Section("s1", 1, "1", "Introduction", 1, (Paragraph("Since the dawn.", 1),)),
        Section("s2", 1, "2", "Method", 2, (Paragraph("First.", 2), Paragraph("Then.", 2))),
        Section("s3", 2, "2.1", "Details", 2, (Paragraph("All of them.", 3),)),
        Section("s4", 1, None, "Thanks", 3, ()),
    ),
    captions=(Caption("figure", "1", "A picture.", 2),),
    references=(
        Reference("1", "Ada Lovelace. Notes. math/0309136.", None, "math/0309136"),
        Reference("2", "Alan Turing. 1936.", "10.1112/plms/s2-42.1.230", None),
        Reference("3", "Nobody. arXiv:2301.99999.", None, "2301.99999"),
    ),
    quality={"headings": 4},
)


def stored(document: Document = DOCUMENT) -> StructuredDocument:
    content = document.content()
    quality = content.pop("quality")
    return StructuredDocument(
        source=DocumentSource(document.source),
        converter=document.converter,
        quality=quality,
        content=json.dumps(content),
    )


@pytest.fixture
def keep(database):
    """Store a paper and its document, as the workers do."""

    async def keep(arxiv_id: str = "2301.00001v1", document: Document | None = DOCUMENT) -> None:
        paper = make_paper(arxiv_id)
        async with database.transaction() as conn:
            await PaperStore(conn).upsert([paper], overwrite=True)
            if document is not None:
                await DocumentStore(conn).save(
                    paper.arxiv_id, stored(document), input_sha256=SHA256
                )

    return keep


async def problem_of(response) -> tuple[int, str, str]:
    document = await response.json(content_type="application/problem+json")
    return response.status, document["code"], document["detail"]


async def test_a_document_comes_whole_with_its_keys_in_order(api, keep):
    await keep()

    response = await api.get(f"{URL}/document")
    answered = await response.json()

    assert response.status == 200
    assert list(answered) == list(DocumentSchema().fields)
    assert DocumentSchema().validate(answered) == {}
    assert Document.from_json(answered) == DOCUMENT
    assert (answered["arxiv_id"], answered["version"]) == ("2301.00001", 1)
    assert (answered["source"], answered["input_sha256"]) == ("pdf", SHA256)
    assert list(answered["sections"][0]) == [
        *("id", "level", "number", "title", "page", "paragraphs")
    ]


async def test_a_document_comes_as_markdown_where_that_is_wanted(api, keep):
    await keep()

    response = await api.get(f"{URL}/document", headers=MARKDOWN)
    text = await response.text()

    assert (response.status, response.content_type) == (200, "text/markdown")
    assert text.startswith("# A title, ∀\n\n## Abstract\n")
    assert "### 2.1 Details" in text


async def test_an_outline_has_lengths_in_place_of_text(api, keep):
    await keep()

    outline = await (await api.get(f"{URL}/document?part=outline")).json()

    assert list(outline) == ["sections"]
    assert outline["sections"][1] == {
        "id": "s2",
        "level": 1,
        "number": "2",
        "title": "Method",
        "page": 2,
        "characters": 11,
        "paragraphs": 2,
    }


@pytest.mark.parametrize(
    ("wanted", "ids"), [("2", ["s2", "s3"]), ("2.1", ["s3"]), ("s4", ["s4"]), ("s2", ["s2", "s3"])]
)
async def test_a_section_comes_with_all_below_it(api, keep, wanted, ids):
    await keep()

    part = await (await api.get(f"{URL}/document", params={"section": wanted})).json()
    text = await (
        await api.get(f"{URL}/document", params={"section": wanted}, headers=MARKDOWN)
    ).text()

    assert [section["id"] for section in part["sections"]] == ids
    assert DocumentSchema().validate(part) == {}
    assert part["references"] == []
    assert "Introduction" not in text


@pytest.mark.parametrize("headers", [{}, MARKDOWN])
async def test_an_unknown_section_is_not_found(api, keep, headers):
    await keep()

    response = await api.get(f"{URL}/document?section=9", headers=headers)

    assert await problem_of(response) == (
        *(404, "document_not_found", "The document has no such section"),
    )


@pytest.mark.parametrize(
    "query", ["part=all", "section=", "part=outline&section=1", "page=1", "section=1&section=2"]
)
async def test_what_cannot_be_asked_for_is_refused(api, keep, query):
    await keep()

    response = await api.get(f"{URL}/document?{query}")

    assert (await problem_of(response))[:2] == (422, "invalid_request")


async def test_an_outline_is_no_markdown(api, keep):
    await keep()

    response = await api.get(f"{URL}/document?part=outline", headers=MARKDOWN)

    assert (await problem_of(response))[:2] == (406, "not_acceptable")


@pytest.mark.parametrize("path", ["document", "references"])
async def test_a_paper_without_a_document_says_so(api, keep, path):
    await keep(document=None)

    assert await problem_of(await api.get(f"{URL}/{path}")) == (
        *(404, "document_not_found", "The document of this paper has not been made"),
    )
    unknown = await problem_of(await api.get(f"/api/v1/papers/2301.00002/{path}"))
    assert unknown == (404, "paper_not_found", "Paper not found")
    other = await problem_of(await api.get(f"{URL}v2/{path}"))
    assert other == (404, "paper_not_found", "This version of the paper is not known")


@pytest.mark.parametrize("path", ["document", "references"])
async def test_the_document_of_an_older_version_is_not_shown(api, keep, path):
    await keep()
    await keep("2301.00001v2", document=None)

    assert (await problem_of(await api.get(f"{URL}/{path}")))[1] == "document_not_found"


@pytest.mark.parametrize("path", ["document", "references"])
async def test_what_was_seen_is_not_sent_again_until_it_changes(api, keep, path):
    await keep()
    first = await api.get(f"{URL}/{path}")
    seen = {"If-None-Match": first.headers["ETag"]}

    again = await api.get(f"{URL}/{path}", headers=seen)
    other = await api.get(f"{URL}/{path}", headers={"If-Match": '"other"'})
    await keep()
    changed = await api.get(f"{URL}/{path}", headers=seen)

    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert other.status == 412
    assert changed.status == 200


async def test_each_form_has_a_tag_of_its_own(api, keep):
    await keep()
    first = await api.get(f"{URL}/document")

    other = await api.get(
        f"{URL}/document", headers={**MARKDOWN, "If-None-Match": first.headers["ETag"]}
    )

    assert other.status == 200


async def test_references_to_papers_that_are_held_have_a_link(api, keep):
    await keep()
    before = await api.get(f"{URL}/references")
    await keep("math/0309136v1", document=None)

    response = await api.get(f"{URL}/references", headers={"If-None-Match": before.headers["ETag"]})
    references = await response.json()

    assert [one["link"] for one in await before.json()] == [None, None, None]
    assert [one["link"] for one in references] == ["/api/v1/papers/math/0309136", None, None]
    assert (await api.get(references[0]["link"])).status == 200
    assert list(references[0]) == list(CitedSchema().fields)
    assert CitedSchema(many=True).validate(references) == {}


async def test_a_head_sends_nothing(api, keep):
    await keep()

    response = await api.head(f"{URL}/document")

    assert (response.status, await response.read()) == (200, b"")
