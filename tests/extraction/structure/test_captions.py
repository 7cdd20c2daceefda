"""Captions are told from prose that speaks of figures."""

import pytest

from service.extraction.document import Caption
from service.extraction.structure.captions import captions_of, unique
from service.extraction.structure.flow import flow_of
from tests.extraction.structure.layouts import BOLD, Page, made


def captions(page: Page) -> list[Caption]:
    return unique(captions_of(flow_of(made([page])), ()))


@pytest.mark.parametrize(
    ("label", "kind", "number"),
    [
        ("Figure 3: ", "figure", "3"),
        ("Fig. 3. ", "figure", "3"),
        ("FIG. 12. ", "figure", "12"),
        ("Fig. 1.— ", "figure", "1"),
        ("Figure 2 | ", "figure", "2"),
        ("Figure S4: ", "figure", "S4"),
        ("Figure 2.1: ", "figure", "2.1"),
        ("Table 1: ", "table", "1"),
        ("TABLE II. ", "table", "II"),
        ("Algorithm 1 ", "algorithm", "1"),
        ("Listing 4: ", "other", "4"),
        ("Scheme 2. ", "other", "2"),
    ],
)
def test_a_label_is_no_part_of_the_text(label, kind, number):
    page = Page(1).prose(5).put(f"{label}What is seen here,", gap=30).put("in two rows.")
    page.prose(5, gap=30)

    assert captions(page) == [Caption(kind, number, "What is seen here, in two rows.", 1)]


def test_a_label_may_stand_alone_above_its_title():
    page = Page(1).prose(5).put("TABLE 1", gap=30).put("Titles of Tables", gap=18).prose(5, gap=40)

    assert captions(page) == [Caption("table", "1", "Titles of Tables", 1)]


def test_a_label_may_be_bold_instead_of_marked():
    page = Page(1).prose(5).put(("Figure 3 ", BOLD), "What is seen here.", gap=30)

    assert captions(page.prose(5, gap=30)) == [Caption("figure", "3", "What is seen here.", 1)]


@pytest.mark.parametrize("text", ["Figure 3 shows it.", "Table 2 and Figure 3. Both", "Fig. 3) is"])
def test_a_paragraph_that_begins_with_a_figure_is_none(text):
    assert captions(Page(1).prose(5).put(text, gap=20).prose(2)) == []


def test_a_row_of_prose_that_begins_with_a_label_is_none():
    page = Page(1).prose(5)
    page.put("all this is shown well in").put("Figure 3. The next sentence goes on.").prose(3)

    assert captions(page) == []


def test_a_table_that_goes_on_has_one_caption():
    page = Page(1).put("Table 1: All of it.").prose(3, gap=30)
    page.put("Table 1: All of it.", gap=30).prose(3, gap=30).put("Table 1: (continued)", gap=30)

    assert captions(page.prose(3, gap=30)) == [Caption("table", "1", "All of it.", 1)]


def test_the_steps_of_an_algorithm_are_not_its_caption():
    page = (
        Page(1)
        .prose(4)
        .put("Algorithm 1 Do the work", gap=30)
        .put("Require: a thing")
        .put("1: end")
    )

    assert captions(page) == [Caption("algorithm", "1", "Do the work", 1)]
