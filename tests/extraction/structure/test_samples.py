"""Real papers: the structure is above its bars, and is what one sees in them."""

from dataclasses import replace

import pypdfium2
import pytest

from service.extraction.reading import read_document
from service.extraction.structure.from_pdf import document_of
from service.extraction.structure.navigation import Navigation
from tests.extraction.made_pdf import LIMITS
from tests.text_report.structure import SAMPLES, below_bars, measure, read, total

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside the checkout"),
]


def test_all_samples_together_are_above_the_bars():
    scores = total(measure(path) for path in sorted(SAMPLES.glob("*.pdf")))

    assert below_bars(scores) == []
    assert scores["headings found"].all > 90
    assert scores["papers with all references"].all >= 6
    assert scores["identifiers found"].all > 100


@pytest.mark.parametrize(
    ("name", "sections", "captions", "references", "dois", "arxiv_ids"),
    [
        ("1706.03762v7", 23, 9, 40, 0, 22),
        ("2503.05372v1", 5, 1, 39, 34, 33),
        ("2202.00535v1", 21, None, 57, 0, 2),
        ("2407.10671v4", 27, 16, 80, 0, None),
        ("1001.0012v2", 14, 8, 87, 0, 10),
        ("1604.00772v2", None, 9, 35, 0, 1),
        ("cs_9912018v1", None, 3, 13, 0, 0),
        ("hep-th_9109009v1", 4, 0, 21, 0, None),
    ],
)
def test_counts_are_those_of_the_printed_paper(
    name, sections, captions, references, dois, arxiv_ids
):
    document = document_of(*read(SAMPLES / f"{name}.pdf"))

    if sections is not None:
        assert len([s for s in document.sections if s.title]) == sections
    if captions is not None:
        assert len(document.captions) == captions
    assert len(document.references) == references
    assert sum(r.doi is not None for r in document.references) == dois
    if arxiv_ids is not None:
        assert sum(r.arxiv_id is not None for r in document.references) == arxiv_ids


def test_a_paper_without_outline_is_read_by_its_type():
    document = document_of(*read(SAMPLES / "1706.03762v7.pdf"))

    assert document.title == "Attention Is All You Need"
    assert document.abstract is not None
    assert document.abstract.startswith("The dominant sequence transduction models are based on")
    assert document.abstract.endswith("both with large and limited training data.")
    found = [(s.level, s.number, s.title) for s in document.sections if s.title]
    assert found[:6] == [
        (1, "1", "Introduction"),
        (1, "2", "Background"),
        (1, "3", "Model Architecture"),
        (2, "3.1", "Encoder and Decoder Stacks"),
        (2, "3.2", "Attention"),
        (3, "3.2.1", "Scaled Dot-Product Attention"),
    ]
    assert document.captions[1].text.startswith("(left) Scaled Dot-Product Attention.")
    reference = document.references[1]
    assert (reference.key, reference.arxiv_id) == ("2", "1409.0473")


def test_a_list_that_only_destinations_split_is_split_without_them_as_well():
    pages, navigation = read(SAMPLES / "2202.00535v1.pdf")
    stripped = replace(navigation, bookmarks=(), destinations=())

    assert len(document_of(pages, stripped).references) == 57


def test_captions_of_a_paper_are_those_that_it_names():
    """All but that of Table 5 at least, whose label the text may join to a broken word before."""
    document = document_of(*read(SAMPLES / "2202.00535v1.pdf"))

    assert {c.kind for c in document.captions} == {"table"}
    assert {c.number for c in document.captions} >= {*"12346789"}


def test_every_broken_file_that_has_a_text_has_a_document():
    for path in sorted((SAMPLES.parent / "badpdf").glob("*.pdf")):
        if path.name in ("bomb_ws_2G_x2.pdf", "q_stack.pdf", "pages_200k.pdf"):
            continue  # these end the process that reads them: see tests/pdf/test_samples.py
        try:
            pages, navigation = read(path)
        except (pypdfium2.PdfiumError, AssertionError):
            continue
        document = document_of(pages, navigation)
        assert len(document.references) == 0, path.name


def test_a_picture_of_a_text_makes_an_empty_document():
    with pypdfium2.PdfDocument(SAMPLES / "non_searchable.pdf") as file:
        assert read_document(file, LIMITS)[0]["text_state"] == "empty"

    document = document_of(read(SAMPLES / "non_searchable.pdf")[0], Navigation())

    assert (document.title, document.sections, document.references) == (None, (), ())
