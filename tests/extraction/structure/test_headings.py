"""Headings are found by outline, by destinations, and by the way they are set."""

import pytest

from service.extraction.structure.flow import flow_of
from service.extraction.structure.headings import headings_of
from service.extraction.structure.navigation import Bookmark, Destination, Navigation, Target
from service.extraction.structure.titles import Role
from tests.extraction.structure.layouts import (
    BOLD,
    ITALIC,
    MATH,
    ROMAN,
    SMALL_CAPS,
    Page,
    made,
    paper,
)

NONE = Navigation()
NUMBERED = ("1 Introduction", "2 Methods", "2.1 Data", "2.2 Models", "3 Results", "4 Conclusion")


def found(pages, navigation=NONE):
    return [
        (h.level, h.number, h.title)
        for h in headings_of(flow_of(pages), navigation).found
        if h.role is None
    ]


def source(pages, navigation=NONE):
    return headings_of(flow_of(pages), navigation).source


def outline(*entries: tuple[str, int, int]) -> Navigation:
    """Title, level and page of each bookmark."""
    return Navigation(bookmarks=tuple(Bookmark(t, level, Target(p)) for t, level, p in entries))


@pytest.mark.parametrize("font", [BOLD, SMALL_CAPS])
def test_numbers_that_count_up_make_sections_and_subsections(font):
    assert found(paper(*NUMBERED, set_in=font)) == [
        (1, "1", "Introduction"),
        (1, "2", "Methods"),
        (2, "2.1", "Data"),
        (2, "2.2", "Models"),
        (1, "3", "Results"),
        (1, "4", "Conclusion"),
    ]


def test_roman_sections_with_lettered_ones_below():
    pages = paper("I. INTRODUCTION", "II. METHOD", "A. Data", "B. Models", "III. RESULTS", "A. One")

    assert [(level, number) for level, number, _ in found(pages)] == [
        (1, "I"),
        (1, "II"),
        (2, "A"),
        (2, "B"),
        (1, "III"),
        (2, "A"),
    ]


def test_appendices_go_on_in_letters():
    pages = paper("1 Introduction", "2 Methods", "3 Conclusion", "A Proofs", "A.1 More", "B Tables")

    assert found(pages)[3:] == [(1, "A", "Proofs"), (2, "A.1", "More"), (1, "B", "Tables")]


def test_sections_without_numbers_are_set_like_known_titles():
    pages = paper("Introduction", "A Way to Think", "Results", "Some Odd Words", "Conclusion")

    assert [title for _, _, title in found(pages)] == [
        *("Introduction", "A Way to Think", "Results", "Some Odd Words", "Conclusion")
    ]


def test_unnumbered_ones_stand_beside_numbered_ones():
    pages = paper("1 Introduction", "2 Results", "3 Conclusion", "Acknowledgments", "References")
    headings = headings_of(flow_of(pages), Navigation()).found

    assert [(h.number, h.title, h.role) for h in headings][-2:] == [
        (None, "Acknowledgments", None),
        (None, "References", Role.REFERENCES),
    ]


def test_title_and_authors_are_no_headings():
    assert [title for _, _, title in found(paper("1 Introduction", "2 End"))] == [
        "Introduction",
        "End",
    ]


def test_an_enumeration_in_prose_is_no_chain_of_sections():
    page = Page(1).put(("Title", BOLD), size=17)
    for number in range(1, 9):
        page.put(f"{number}. The thing that is said here", gap=20).prose(2, gap=20)

    assert found(made([page])) == []


def test_steps_within_a_section_do_not_end_its_count():
    pages = paper("1 Introduction", "2 Methods", "2.1 Data", "3 Conclusion")
    page = Page(9)
    for number in range(1, 5):
        page.put(f"{number}. We take a step that has words", gap=18).prose(2)

    assert len(found([*pages, *made([page])])) == 4


def test_theorems_that_run_in_are_no_headings():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(4, gap=20)
    for number in (1, 2):
        page.put(
            (f"1.{number} Theorem.", BOLD), (" Let all be well, and then it is.", ROMAN), gap=20
        )
        page.prose(3)
    page.put(("2 Conclusion", BOLD), size=12, gap=30).prose(4, gap=20)

    assert [number for _, number, _ in found(made([page]))] == ["1", "2"]


def test_a_run_in_heading_ends_where_prose_begins():
    page = Page(1).put(("1. Introduction", BOLD), size=12).prose(4, gap=20)
    page.put(("1.1. The first case.", BOLD), (" Here the text goes on.", ROMAN), gap=20).prose(3)
    page.put(("1.2. The second case.", BOLD), (" Here the text goes on.", ROMAN), gap=20).prose(3)
    page.put(("2. Results", BOLD), size=12, gap=30).prose(4, gap=20)

    assert [title for _, _, title in found(made([page]))] == [
        *("Introduction", "The first case", "The second case", "Results")
    ]


def test_a_heading_of_two_rows_is_one():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(4, gap=20)
    page.put(("2 A title that is so long that it goes", BOLD), size=12, gap=30)
    page.put(("on in a second row", BOLD), size=12, gap=14).prose(4, gap=20)

    assert found(made([page]))[1] == (
        1,
        "2",
        "A title that is so long that it goes on in a second row",
    )


@pytest.mark.parametrize("leaders", [" . . . . . . . . ", " "])
def test_a_table_of_contents_is_no_second_set_of_headings(leaders):
    page = Page(1).put(("Title", BOLD), size=17).put(("Contents", BOLD), size=14, gap=40)
    for at, heading in enumerate(NUMBERED):
        page.put((f"{heading}{leaders}{at + 2}", BOLD), size=12, gap=18)
    body = paper(*NUMBERED)

    assert found([*made([page]), *body]) == found(body)


def test_the_outline_says_what_is_a_heading():
    pages = paper(*NUMBERED)
    navigation = outline(
        ("Introduction", 1, 1), ("Methods", 1, 1), ("Data", 2, 1), ("Results", 1, 2)
    )

    assert source(pages, navigation) == "outline"
    assert found(pages, navigation) == [
        (1, "1", "Introduction"),
        (1, "2", "Methods"),
        (2, "2.1", "Data"),
        (1, "3", "Results"),
    ]


def test_a_root_that_is_the_papers_title_is_no_level():
    navigation = outline(("A Title of the Paper", 1, 1), ("Introduction", 2, 1), ("Methods", 2, 1))

    assert [(level, title) for level, _, title in found(paper(*NUMBERED), navigation)] == [
        (1, "Introduction"),
        (1, "Methods"),
    ]


def test_what_an_outline_lost_is_read_from_the_page():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(4, gap=20)
    page.put(("2 The case ", BOLD), ("k", MATH), (" of Theorem 3", BOLD), size=12, gap=30)
    pages = made([page.prose(4, gap=20)])
    navigation = outline(("Introduction", 1, 1), ("The case of Theorem ??", 1, 1))

    assert found(pages, navigation)[1] == (1, "2", "The case k of Theorem 3")


def test_a_bookmark_one_page_off_is_found_on_its_heading():
    navigation = outline(("Introduction", 1, 1), ("Results", 1, 1), ("Conclusion", 1, 2))
    headings = headings_of(flow_of(paper(*NUMBERED)), navigation).found

    assert [(h.title, h.page) for h in headings if h.role is None] == [
        *(("Introduction", 1), ("Results", 2), ("Conclusion", 2))
    ]


def test_an_outline_of_something_else_is_not_believed():
    navigation = outline(("page 1", 1, 1), ("page 2", 1, 1), ("page 3", 1, 2))

    assert source(paper(*NUMBERED), navigation) == "style"


def destinations(flow, *names: tuple[str, str]) -> Navigation:
    """Names, each a line and a half above the row that begins with a text."""
    places = []
    for name, text in names:
        row = next(row for row in flow.rows if row.text.startswith(text))
        places.append(Destination(name, Target(row.page, row.x0, row.baseline + 18)))
    return Navigation(destinations=tuple(places))


def test_destinations_say_it_where_there_is_no_outline():
    pages = paper(*NUMBERED, "Thanks to All", set_in=ITALIC, size=10)
    navigation = destinations(
        flow_of(pages),
        ("section.1", "1 Intro"),
        ("section.2", "2 Meth"),
        ("subsection.2.1", "2.1"),
        ("section.2-footnote.1", "2.2"),
        ("section*.3", "Thanks"),
    )

    assert source(pages, navigation) == "destinations"
    assert found(pages, navigation) == [
        (1, "1", "Introduction"),
        (1, "2", "Methods"),
        (2, "2.1", "Data"),
        (1, None, "Thanks to All"),
    ]


def test_a_paragraph_title_has_a_starred_destination_and_is_no_heading():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(4, gap=20)
    page.put(("2 Methods", BOLD), size=12, gap=30).prose(4, gap=20)
    page.put(("Baselines.", BOLD), (" We compare with all that there is.", ROMAN), gap=18).prose(3)
    page.put(("A Word of Stress", ITALIC), gap=18).prose(3)
    pages = made([page])
    navigation = destinations(
        flow_of(pages),
        ("section.1", "1 "),
        ("section.2", "2 "),
        ("section*.3", "Baselines"),
        ("section*.4", "A Word"),
    )

    assert len(found(pages, navigation)) == 2
