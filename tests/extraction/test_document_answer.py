"""A document in a child's answer is taken in whole, without what cannot be stored, or refused."""

import json

import pytest

from service.domain.errors import BadPdf
from service.domain.papers import DocumentSource
from service.extraction.answer import extracted_text
from service.extraction.document import Document, Paragraph, Reference, Section
from tests.extraction.test_answer import HEAD

DOCUMENT = Document(
    source="pdf",
    converter="pdf 1",
    title="A title",
    sections=(Section("s1", 1, "1", "One", 1, (Paragraph("Text, ∀.", 1),)),),
    references=(Reference("1", r"Someone. \begin.", None, "math/0309136"),),
    quality={"headings": 1, "references_from": None},
)


def answered(**changes):
    content = {**DOCUMENT.content(), **changes}
    quality = content.pop("quality")
    return {"converter": "pdf 1", "quality": quality, "content": json.dumps(content)}


def taken(document, **more):
    return extracted_text({**HEAD, "document": document, **more}, b"one\ftwo")


def test_a_document_is_taken_in_as_it_is():
    made = taken(answered()).document

    assert (made.source, made.converter) == (DocumentSource.PDF, "pdf 1")
    content = json.loads(made.content)
    assert list(content) == ["title", "abstract", "sections", *list(content)[3:]]
    about = {"source": "pdf", "converter": "pdf 1", "quality": made.quality}
    assert Document.from_json({**content, **about}) == DOCUMENT


def test_what_cannot_be_stored_is_left_out():
    made = taken(answered(title="A\x00 ti\x1btle\x7f \b")).document

    assert json.loads(made.content)["title"] == "A title "


def test_a_text_without_a_document_says_why():
    result = taken(None, document_error="out_of_time")

    assert result.document is None
    assert result.quality["document_error"] == "out_of_time"
    assert result.text == "one\ftwo"


PARAGRAPH = {"text": "t", "page": 1, "kind": "p"}
SECTION = {"id": "s", "level": 1, "number": None, "title": "", "page": 1, "paragraphs": []}


@pytest.mark.parametrize(
    "lie",
    [
        *({"title": 5}, {"abstract": []}, {"sections": 5}, {"sections": [{}]}),
        {"sections": [{**SECTION, "level": "1"}]},
        {"sections": [{**SECTION, "page": "1"}]},
        {"sections": [{**SECTION, "title": None}]},
        {"sections": [{**SECTION, "paragraphs": [{**PARAGRAPH, "text": {}}]}]},
        {"sections": [{**SECTION, "paragraphs": [{**PARAGRAPH, "page": "1"}]}]},
        {"captions": [{"kind": "figure", "number": 1, "text": "", "page": 1}]},
        {"captions": [{"kind": "figure", "number": "1", "text": "", "page": ""}]},
        {"equations": [{"id": 1, "number": None, "tex": "", "section": None}]},
        {"references": [{"key": None, "raw": "", "doi": None, "arxiv_id": 1}]},
        {"quality": {"headings": []}},
        {"quality": []},
    ],
)
def test_a_document_that_is_none_is_refused(lie):
    with pytest.raises(BadPdf) as caught:
        taken(answered(**lie))

    assert caught.value.code == "corrupt"


@pytest.mark.parametrize(
    "document", [5, {}, {**answered(), "content": "{"}, {**answered(), "content": "[]"}]
)
def test_what_is_no_json_of_a_document_is_refused(document):
    with pytest.raises(BadPdf):
        taken(document)
