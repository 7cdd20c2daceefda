"""A document goes into JSON and back, in the published order of keys."""

import orjson
import pytest

from service.extraction.document import (
    Caption,
    Document,
    Equation,
    Origin,
    Paragraph,
    Reference,
    Section,
)
from service.extraction.document_views import with_section

ORIGIN = Origin("2401.00001", 2, "ab" * 32)
DOCUMENT = Document(
    source="pdf",
    converter="pdf 1",
    title="A title",
    abstract=None,
    sections=(
        Section("s1", 1, "1", "One", 1, (Paragraph("ab", 1), Paragraph("cde", 2, "list"))),
        Section("s2", 2, "1.1", "One one", 2),
        Section("s3", 3, None, "Deep", 2, (Paragraph("x", 2),)),
        Section("s4", 1, "2", "Two", 3),
    ),
    equations=(Equation("e1", "12", "x=y", "s1"),),
    captions=(Caption("figure", "3", "What is seen", 2),),
    references=(Reference("12", "A. Author, 1999", "10.1/x", "hep-th/9901001"),),
    quality={"ms": 3},
)


def test_keys_stand_in_the_published_order():
    rendered = DOCUMENT.to_json(ORIGIN)

    assert list(rendered) == [
        "arxiv_id",
        "version",
        "source",
        "converter",
        "input_sha256",
        "quality",
        "title",
        "abstract",
        "sections",
        "equations",
        "captions",
        "references",
    ]
    assert list(rendered["sections"][0]) == ["id", "level", "number", "title", "page", "paragraphs"]
    assert list(rendered["sections"][0]["paragraphs"][0]) == ["text", "page", "kind"]
    assert list(rendered["equations"][0]) == ["id", "number", "tex", "section"]
    assert list(rendered["captions"][0]) == ["kind", "number", "text", "page"]
    assert list(rendered["references"][0]) == ["key", "raw", "doi", "arxiv_id"]


def test_json_comes_back_as_the_same_value():
    stored = orjson.loads(orjson.dumps(DOCUMENT.to_json(ORIGIN)))

    assert stored == DOCUMENT.to_json(ORIGIN)
    assert Document.from_json(stored) == DOCUMENT


def test_the_outline_counts_own_text_only():
    outline = DOCUMENT.outline()["sections"]

    assert list(outline[0]) == [
        "id",
        "level",
        "number",
        "title",
        "page",
        "characters",
        "paragraphs",
    ]
    assert [(row["characters"], row["paragraphs"]) for row in outline] == [
        (5, 2),
        (0, 0),
        (1, 1),
        (0, 0),
    ]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ("1", ["s1", "s2", "s3"]),
        ("1.1", ["s2", "s3"]),
        ("s3", ["s3"]),
        ("2", ["s4"]),
        ("9", []),
        ("", []),
    ],
)
def test_a_part_is_a_section_with_all_below_it(wanted, ids):
    part = with_section(DOCUMENT, wanted)

    assert ([section.id for section in part.sections] if part else []) == ids
